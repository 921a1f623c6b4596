-- The newest pick of a zone is the one that it moved on to last. Ids do not tell: a pick has its id from the plan that it was part
-- of, and a player may play of an older one.
create index picks_newest_idx on picks (zone, decided_at);
