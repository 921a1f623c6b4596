-- A guest whose phone does not reach the hub votes to skip, too. The wish comes down to the hub, which alone knows what plays and
-- how many it takes; it is of the moment, so it is no history and is not kept for long.

set lock_timeout = '5s';

create table private.guest_skips (
  venue_id uuid not null,
  id uuid not null unique,
  session_id uuid not null,
  listener_id uuid not null,
  song_id uuid not null,
  cast_at timestamptz not null,
  primary key (venue_id, id),
  foreign key (venue_id, session_id) references private.guest_sessions (venue_id, id) on delete cascade);
create index guest_skips_session_idx on private.guest_skips (venue_id, session_id);
create index guest_skips_lately_idx on private.guest_skips (venue_id, listener_id, cast_at);
create index guest_skips_cast_idx on private.guest_skips (cast_at);

alter table private.guest_keys drop constraint guest_keys_what_check,
  add constraint guest_keys_what_check check (what in ('vote', 'skip', 'check_out'));

-- Down ----------------------------------------------------------------------------------------------------------------

create function private.feed_guest_skips() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into private.feed_pending (xid, scope, kind, pk, gone)
  select pg_current_xact_id(), 'venue:' || r.venue_id, 'guest_skip', r.id, tg_op = 'DELETE' from the_rows r order by r.id;
  if found then
    perform private.feed_open();
  end if;
  return null;
end $$;

create trigger guest_skips_feed_add after insert on private.guest_skips referencing new table as the_rows
  for each statement execute function private.feed_guest_skips();
create trigger guest_skips_feed_remove after delete on private.guest_skips referencing old table as the_rows
  for each statement execute function private.feed_guest_skips();

-- What guests do ------------------------------------------------------------------------------------------------------

-- A wish to skip what plays since `p_since`, as the page shows it (no song: nothing that could be skipped): `skipped`, or why
-- not. The same again is nothing new. One at a time for a phone. As many a minute as votes.
create function private.guest_skips_for(p_token bytea, p_key uuid, p_skip uuid, p_song uuid, p_since timestamptz, p_limits jsonb,
  p_now timestamptz) returns private.guest_seen
language plpgsql security definer set search_path = '' as $$
declare
  here uuid := private.guest_venue();
  who private.guest_seen := private.guest_by_token(p_token, p_limits, p_now);
  known private.guest_keys;
  it private.guest_sessions;
  wish uuid;
  lately int;
  oldest timestamptz;
begin
  if who.outcome = 'nobody' then
    return who;
  end if;
  perform from private.guest_devices d where d.venue_id = here and d.id = who.device_id for update;
  select s.* into it from private.guest_sessions s where s.venue_id = here and s.id = who.id;
  select k.* into known from private.guest_keys k where k.venue_id = here and k.listener_id = it.listener_id and k.key = p_key;
  if known.key is not null then
    return private.guest_told(case known.what when 'skip' then 'skipped' else 'key_used' end, 0, false, it);
  elsif who.outcome = 'gone' then
    return who;
  elsif p_song is null then
    return private.guest_told('not_now', 0, false, it);
  end if;
  select k.id into wish from private.guest_skips k
  where k.venue_id = here and k.session_id = it.id and k.song_id = p_song and k.cast_at >= p_since
  order by k.cast_at desc limit 1;
  if wish is null then
    select count(*), min(k.cast_at) into lately, oldest from private.guest_skips k
    where k.venue_id = here and k.listener_id = it.listener_id and k.cast_at > p_now - interval '1 minute';
    if (p_limits ->> 'votes_per_minute')::int <= lately then
      return private.guest_told('too_often', greatest(1, ceil(extract(epoch from oldest + interval '1 minute' - p_now)))::int, false, it);
    end if;
    insert into private.guest_skips (venue_id, id, session_id, listener_id, song_id, cast_at)
    values (here, p_skip, it.id, it.listener_id, p_song, p_now) returning id into wish;
  end if;
  insert into private.guest_keys (venue_id, listener_id, key, what, target, at)
  values (here, it.listener_id, p_key, 'skip', wish, p_now);
  return private.guest_told('skipped', 0, false, it);
end $$;

-- Upkeep as before, and the wishes: nothing plays that long.
create or replace function private.sweep_guests(p_now timestamptz) returns bigint
language plpgsql security definer set search_path = '' as $$
declare gone bigint;
begin
  delete from private.guest_votes where cast_at < p_now - interval '35 days';
  get diagnostics gone = row_count;
  delete from private.guest_skips where cast_at < p_now - interval '1 day';
  delete from private.guest_sessions s where s.expires_at < p_now - interval '35 days'
    and not exists (select from private.guest_votes v where v.venue_id = s.venue_id and v.session_id = s.id);
  delete from private.guest_devices d where d.last_seen_at < p_now - interval '180 days'
    and not exists (select from private.guest_sessions s where s.venue_id = d.venue_id and s.device_id = d.id);
  delete from private.guest_keys where at < p_now - interval '2 days';
  delete from private.guest_limits where full_at < p_now;
  return gone;
end $$;

-- Who may do what -----------------------------------------------------------------------------------------------------

revoke all on private.guest_skips from public, anon, authenticated, service_role, roomtone_hub, roomtone_cloud, roomtone_guest;
alter table private.guest_skips enable row level security;
create policy guest_skips_service on private.guest_skips for select to roomtone_cloud using (true);
grant select on private.guest_skips to roomtone_cloud, roomtone_hub;
create policy guest_skips_hub on private.guest_skips for select to roomtone_hub using (venue_id = (select private.hub_venue()));
revoke execute on function private.feed_guest_skips(),
  private.guest_skips_for(bytea, uuid, uuid, uuid, timestamptz, jsonb, timestamptz) from public, anon, authenticated, roomtone_hub,
  roomtone_cloud;
grant execute on function private.guest_skips_for(bytea, uuid, uuid, uuid, timestamptz, jsonb, timestamptz) to roomtone_guest;
