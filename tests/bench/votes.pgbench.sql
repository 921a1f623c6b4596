\set song random(1, 1000)
begin;
with cast_one as (
  insert into votes values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), :song, 1, 1, 1,
    decode(repeat('00', 40), 'hex'), 1) returning id, listener)
insert into preferences select listener, 1, decode(repeat('00', 40), 'hex'), 1 from cast_one
  on conflict (listener) do update set n_like = preferences.n_like + 1;
insert into outbox (op_id, kind, payload, payload_hash, hlc, chain)
  values (gen_random_uuid(), 'vote_cast', decode(repeat('7b', 200), 'hex'), decode(repeat('00', 32), 'hex'), 1,
    decode(repeat('00', 32), 'hex'));
insert into idempotency values (gen_random_uuid(), decode(repeat('00', 16), 'hex'), 1);
commit;
