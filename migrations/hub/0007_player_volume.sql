-- The number of the newest order from the cloud on how loud a player is to be that was followed here: each is followed once,
-- and what is turned at the hub afterwards holds.
alter table players add column volume_order integer not null default 0;
