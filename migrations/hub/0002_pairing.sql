-- Players that were paired: they show their secret over TLS only, and change it from time to time.

-- `paired` is 0 for a terminal, whose token also counts where everybody can read along.
alter table players add column paired integer not null default 0 check (paired in (0, 1));

-- The secret that a player has been given and has not shown yet; until then the one before counts, too.
alter table players add column next_token_hash blob check (length(next_token_hash) = 32);
create unique index players_next_token on players (next_token_hash) where next_token_hash is not null;

-- When the secret was made that counts now.
alter table players add column secret_made_at integer;

-- What a manager ordered last; kept, so that a player that was switched off and on does not play against an order.
alter table players add column mode text not null default 'playing' check (mode in ('playing', 'paused', 'stopped'));
