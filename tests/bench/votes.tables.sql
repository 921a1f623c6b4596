-- What the hub writes for a vote, as tables of Postgres.
create table votes (id uuid primary key, listener uuid not null, session uuid not null, song int not null, value int not null,
  hlc bigint not null, cast_at bigint not null, unit bytea, counts int not null);
create unique index votes_effective on votes (listener, song) where counts = 1;
create table preferences (listener uuid primary key, n_like bigint not null, sum_like bytea not null, updated_at bigint not null);
create table outbox (seq bigserial primary key, op_id uuid not null, kind text not null, payload bytea not null,
  payload_hash bytea not null, hlc bigint not null, chain bytea not null);
create table idempotency (key uuid primary key, result bytea not null, at bigint not null);
