-- Guests whose phones do not reach the hub: a page per venue, and what they do there on its way down.
--
-- A guest has no account. What they may do is a handful of functions that take their token, or the venue's code, as proof;
-- what they may read is what the page shows of the one venue that the address names. Presences and votes are rows of the
-- venue's scope: the hub applies them, and tells of them as of its own, so that history has each once.

set lock_timeout = '5s';

do $$
begin
  -- Nobody logs in as it; the cloud takes it for each question of a guest.
  if not exists (select from pg_catalog.pg_roles where rolname = 'roomtone_guest') then
    create role roomtone_guest nologin;
  end if;
end $$;
grant roomtone_guest to roomtone_cloud;
grant usage on schema private, public, extensions to roomtone_guest;

-- The venues that have a page, and the code of their posters: whoever shows it may check in.
create table private.guest_doors (
  venue_id uuid primary key references public.venues (id) on delete cascade,
  code text not null check (code ~ '^[0-9A-HJKMNP-TV-Z]{10}$'),
  -- What addresses are hashed with, so that nobody reads one from what it used up.
  salt uuid not null default gen_random_uuid(),
  opened_at timestamptz not null default now());

-- What a venue's zones show, as its hub told last. Songs and zones by the catalogue's names.
create table private.rooms_told (
  venue_id uuid not null,
  zone_id uuid not null,
  hub_id uuid not null references public.hubs (id) on delete cascade,
  place int not null,
  told jsonb not null check (jsonb_typeof(told) = 'object' and pg_column_size(told) < 16384),
  told_at timestamptz not null,
  primary key (venue_id, zone_id),
  foreign key (venue_id, zone_id) references public.zones (venue_id, id) on delete cascade);
create index rooms_told_hub_idx on private.rooms_told (hub_id);

-- A phone, by the hash of its cookie. All its presences are one listener's.
create table private.guest_devices (
  venue_id uuid not null references public.venues (id) on delete cascade,
  id uuid not null,
  cookie_hash bytea not null check (octet_length(cookie_hash) = 32),
  listener_id uuid not null,
  created_at timestamptz not null,
  last_seen_at timestamptz not null,
  primary key (venue_id, id),
  unique (venue_id, cookie_hash));

create table private.guest_sessions (
  venue_id uuid not null,
  id uuid not null unique,
  device_id uuid not null,
  listener_id uuid not null,
  zone_id uuid not null,
  display_name text check (length(display_name) between 1 and 40),
  status text not null default 'active' check (status in ('active', 'ended')),
  key uuid not null,
  token_hash bytea not null unique check (octet_length(token_hash) = 32),
  checked_in_at timestamptz not null,
  last_seen_at timestamptz not null,
  expires_at timestamptz not null,
  primary key (venue_id, id),
  unique (venue_id, key),
  foreign key (venue_id, device_id) references private.guest_devices (venue_id, id) on delete cascade,
  foreign key (venue_id, zone_id) references public.zones (venue_id, id) on delete cascade) with (fillfactor = 70);
create index guest_sessions_device_idx on private.guest_sessions (venue_id, device_id);
create index guest_sessions_zone_idx on private.guest_sessions (venue_id, zone_id);
create index guest_sessions_expires_idx on private.guest_sessions (expires_at);

create table private.guest_votes (
  venue_id uuid not null,
  id uuid not null unique,
  session_id uuid not null,
  listener_id uuid not null,
  song_id uuid not null,
  vote_value int not null check (vote_value in (-1, 1)),
  cast_at timestamptz not null,
  -- Of a listener's votes for a song the last one counts.
  counts boolean not null default true,
  primary key (venue_id, id),
  foreign key (venue_id, session_id) references private.guest_sessions (venue_id, id) on delete cascade);
create index guest_votes_session_idx on private.guest_votes (venue_id, session_id);
create unique index guest_votes_counting_idx on private.guest_votes (venue_id, listener_id, song_id) where counts;
create index guest_votes_lately_idx on private.guest_votes (venue_id, listener_id, cast_at);

-- What a listener's request came to, so that a retry gets the same.
create table private.guest_keys (
  venue_id uuid not null references public.venues (id) on delete cascade,
  listener_id uuid not null, key uuid not null,
  what text not null check (what in ('vote', 'check_out')),
  target uuid not null,
  at timestamptz not null,
  primary key (venue_id, listener_id, key));
create index guest_keys_at_idx on private.guest_keys (at);

-- What was used up of an allowance: when it is full again. An address is a keyed hash.
create table private.guest_limits (
  venue_id uuid not null references public.venues (id) on delete cascade,
  what text not null check (length(what) <= 80),
  full_at timestamptz not null,
  primary key (venue_id, what));
create index guest_limits_full_idx on private.guest_limits (full_at);

-- Down ----------------------------------------------------------------------------------------------------------------

create function private.feed_guest_sessions() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'UPDATE' then
    insert into private.feed_pending (xid, scope, kind, pk, gone)
    select pg_current_xact_id(), 'venue:' || n.venue_id, 'guest_session', n.id, false from new_rows n join old_rows o on o.id = n.id
    where (n.status, n.last_seen_at) is distinct from (o.status, o.last_seen_at) order by n.id;
  else
    insert into private.feed_pending (xid, scope, kind, pk, gone)
    select pg_current_xact_id(), 'venue:' || r.venue_id, 'guest_session', r.id, tg_op = 'DELETE' from the_rows r order by r.id;
  end if;
  if found then
    perform private.feed_open();
  end if;
  return null;
end $$;

-- A vote never changes: the one that replaces it is another.
create function private.feed_guest_votes() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into private.feed_pending (xid, scope, kind, pk, gone)
  select pg_current_xact_id(), 'venue:' || r.venue_id, 'guest_vote', r.id, tg_op = 'DELETE' from the_rows r order by r.id;
  if found then
    perform private.feed_open();
  end if;
  return null;
end $$;

create trigger guest_sessions_feed_add after insert on private.guest_sessions referencing new table as the_rows
  for each statement execute function private.feed_guest_sessions();
create trigger guest_sessions_feed_edit after update on private.guest_sessions referencing new table as new_rows old table as old_rows
  for each statement execute function private.feed_guest_sessions();
create trigger guest_sessions_feed_remove after delete on private.guest_sessions referencing old table as the_rows
  for each statement execute function private.feed_guest_sessions();
create trigger guest_votes_feed_add after insert on private.guest_votes referencing new table as the_rows
  for each statement execute function private.feed_guest_votes();
create trigger guest_votes_feed_remove after delete on private.guest_votes referencing old table as the_rows
  for each statement execute function private.feed_guest_votes();

-- Whose page it is ----------------------------------------------------------------------------------------------------

-- The venue that an address names, where it has a page.
create function private.guest_page(p_slug text) returns uuid
language sql stable security definer set search_path = '' as $$
  select v.id from public.venues v join private.guest_doors d on d.venue_id = v.id
  where v.slug = p_slug and v.archived_at is null $$;

create function private.guest_venue() returns uuid
language sql stable security definer set search_path = '' as $$
  select v.id from public.venues v join private.guest_doors d on d.venue_id = v.id
  where v.id = (select nullif(current_setting('roomtone.guest_venue', true), '')::uuid) and v.archived_at is null $$;

create function private.guest_organisation() returns uuid
language sql stable security definer set search_path = '' as $$
  select organisation_id from public.venues where id = (select private.guest_venue()) $$;

-- What guests do ------------------------------------------------------------------------------------------------------

-- Takes one of an allowance (so many at once, then one each so often); 0, or for how many seconds to wait.
create function private.guest_take(p_venue uuid, p_what text, p_burst int, p_every_s int, p_now timestamptz) returns int
language plpgsql security definer set search_path = '' as $$
declare
  every interval := make_interval(secs => p_every_s);
  ahead interval;
  next_at timestamptz;
begin
  select greatest(l.full_at, p_now) into next_at from private.guest_limits l where l.venue_id = p_venue and l.what = p_what;
  next_at := coalesce(next_at, p_now) + every;
  ahead := next_at - p_now - every * greatest(p_burst, 1);
  if ahead > interval '0' then
    return greatest(1, ceil(extract(epoch from ahead)))::int;
  end if;
  insert into private.guest_limits (venue_id, what, full_at) values (p_venue, p_what, next_at)
  on conflict (venue_id, what) do update set full_at = excluded.full_at;
  return 0;
end $$;

-- A presence as its own guest is told of it.
create type private.guest_seen as (
  outcome text, retry_s int, new_cookie boolean, id uuid, listener_id uuid, device_id uuid, zone_id uuid, display_name text,
  status text, checked_in_at timestamptz, last_seen_at timestamptz, expires_at timestamptz, votes jsonb);

create function private.guest_votes_of(p_venue uuid, p_listener uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('id', v.id, 'session', v.session_id, 'song', v.song_id, 'value', v.vote_value,
    'cast_at', (extract(epoch from v.cast_at) * 1000)::bigint) order by v.cast_at desc, v.id desc), '[]')
  from private.guest_votes v where v.venue_id = p_venue and v.listener_id = p_listener and v.counts $$;

create function private.guest_told(p_outcome text, p_retry_s int, p_new_cookie boolean, s private.guest_sessions)
returns private.guest_seen language sql stable security definer set search_path = '' as $$
  select row(p_outcome, p_retry_s, p_new_cookie, s.id, s.listener_id, s.device_id, s.zone_id, s.display_name, s.status,
    s.checked_in_at, s.last_seen_at, s.expires_at, private.guest_votes_of(s.venue_id, s.listener_id))::private.guest_seen $$;

-- Somebody at the door. `p_ids` are made for the presence, the phone and the listener, in case they are new. One at a time
-- in a venue, so that limits hold.
create function private.guest_arrives(p_key uuid, p_ids uuid[], p_code text, p_zone uuid, p_name text, p_cookie bytea,
  p_new_cookie bytea, p_token bytea, p_address text, p_limits jsonb, p_now timestamptz) returns private.guest_seen
language plpgsql security definer set search_path = '' as $$
declare
  here uuid := private.guest_venue();
  room private.rooms_told;
  phone private.guest_devices;
  it private.guest_sessions;
  idle interval := make_interval(mins => (p_limits ->> 'idle_minutes')::int);
  whence text;
  wait int := 0;
  is_new boolean := false;
begin
  if here is null then
    return private.guest_told('closed', 0, false, null);
  end if;
  perform pg_advisory_xact_lock(hashtextextended('guests ' || here, 0));
  select left(encode(sha256(uuid_send(d.salt) || convert_to(p_address, 'UTF8')), 'hex'), 32) into whence
  from private.guest_doors d where d.venue_id = here;
  select d.* into phone from private.guest_devices d where d.venue_id = here and d.cookie_hash = p_cookie;
  select s.* into it from private.guest_sessions s where s.venue_id = here and s.key = p_key;
  if it.id is not null then
    if it.status <> 'active' or it.expires_at <= p_now or it.last_seen_at + idle <= p_now then
      return private.guest_told('key_used', 0, false, null);
    end if;
    update private.guest_sessions set token_hash = p_token where venue_id = here and id = it.id;
    if phone.id is distinct from it.device_id then
      update private.guest_devices set cookie_hash = p_new_cookie where venue_id = here and id = it.device_id;
      is_new := true;
    end if;
    return private.guest_told('in', 0, is_new, it);
  end if;
  -- The code first: who does not have it learns nothing of the room.
  if not exists (select from private.guest_doors d where d.venue_id = here and sha256(convert_to(d.code, 'UTF8')) = sha256(convert_to(p_code, 'UTF8'))) then
    wait := private.guest_take(here, 'guess ' || whence, (p_limits ->> 'code_guesses_burst')::int,
      (p_limits ->> 'code_guess_every_s')::int, p_now);
    return private.guest_told(case when wait > 0 then 'too_often' else 'wrong_code' end, wait, false, null);
  end if;
  select r.* into room from private.rooms_told r join public.zones z on z.venue_id = r.venue_id and z.id = r.zone_id
  where r.venue_id = here and z.archived_at is null and (p_zone is null or r.zone_id = p_zone) order by r.place limit 1;
  if room.zone_id is null then
    return private.guest_told(case when p_zone is null then 'not_heard' else 'unknown_zone' end, 0, false, null);
  elsif (room.told ->> 'needs_screen_code')::boolean then
    return private.guest_told('screen_code', 0, false, null);
  elsif (p_limits ->> 'sessions')::int <= (select count(*) from private.guest_sessions s
      where s.venue_id = here and s.status = 'active' and s.expires_at > p_now and s.last_seen_at + idle > p_now) then
    return private.guest_told('full', 0, false, null);
  end if;
  if phone.id is null then
    wait := private.guest_take(here, 'device ' || whence, (p_limits ->> 'new_devices_burst')::int,
      (p_limits ->> 'new_device_every_s')::int, p_now);
  else
    wait := private.guest_take(here, 'check-in ' || phone.id, (p_limits ->> 'device_check_ins_burst')::int,
      (p_limits ->> 'device_check_in_every_s')::int, p_now);
  end if;
  if wait > 0 then
    return private.guest_told('too_often', wait, false, null);
  end if;
  if phone.id is null then
    is_new := true;
    insert into private.guest_devices (venue_id, id, cookie_hash, listener_id, created_at, last_seen_at)
    values (here, p_ids[2], p_new_cookie, p_ids[3], p_now, p_now) returning * into phone;
  else
    update private.guest_devices set last_seen_at = p_now where venue_id = here and id = phone.id;
  end if;
  -- Of a phone's presences the oldest make room.
  update private.guest_sessions s set status = 'ended' where s.venue_id = here and s.id in (
    select o.id from private.guest_sessions o where o.venue_id = here and o.device_id = phone.id and o.status = 'active'
    order by o.checked_in_at desc, o.id desc offset greatest((p_limits ->> 'sessions_per_device')::int - 1, 0));
  insert into private.guest_sessions (venue_id, id, device_id, listener_id, zone_id, display_name, key, token_hash,
    checked_in_at, last_seen_at, expires_at)
  values (here, p_ids[1], phone.id, phone.listener_id, room.zone_id, p_name, p_key, p_token, p_now, p_now,
    p_now + make_interval(hours => (p_limits ->> 'session_hours')::int)) returning * into it;
  return private.guest_told('in', 0, is_new, it);
end $$;

-- Whose a token is: `here`, `gone` where it was good once, else nobody's. Being asked is a sign of life, noted every few
-- minutes.
create function private.guest_by_token(p_token bytea, p_limits jsonb, p_now timestamptz) returns private.guest_seen
language plpgsql security definer set search_path = '' as $$
declare it private.guest_sessions;
begin
  select s.* into it from private.guest_sessions s where s.venue_id = private.guest_venue() and s.token_hash = p_token;
  if it.id is null then
    return private.guest_told('nobody', 0, false, null);
  elsif it.status <> 'active' or it.expires_at <= p_now
    or it.last_seen_at + make_interval(mins => (p_limits ->> 'idle_minutes')::int) <= p_now then
    return private.guest_told('gone', 0, false, it);
  end if;
  if it.last_seen_at + make_interval(secs => (p_limits ->> 'sign_every_s')::int) <= p_now then
    update private.guest_sessions s set last_seen_at = p_now where s.venue_id = it.venue_id and s.id = it.id
      and s.last_seen_at < p_now returning * into it;
  end if;
  return private.guest_told('here', 0, false, it);
end $$;

-- A like or dislike: `voted` with the vote that counts, or why not. The same again is nothing new. One at a time for a
-- phone.
create function private.guest_votes_for(p_token bytea, p_key uuid, p_vote uuid, p_song uuid, p_value int, p_limits jsonb,
  p_now timestamptz) returns private.guest_seen
language plpgsql security definer set search_path = '' as $$
declare
  here uuid := private.guest_venue();
  who private.guest_seen := private.guest_by_token(p_token, p_limits, p_now);
  known private.guest_keys;
  standing private.guest_votes;
  it private.guest_sessions;
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
    return private.guest_told(case known.what when 'vote' then 'voted ' || known.target else 'key_used' end, 0, false, it);
  elsif who.outcome = 'gone' then
    return who;
  elsif not exists (select from public.venue_songs v join public.songs s on s.id = v.song_id
      where v.venue_id = here and v.song_id = p_song and v.enabled and v.removed_at is null
        and s.status not in ('withdrawn', 'failed')) then
    return private.guest_told('unknown_song', 0, false, it);
  end if;
  select v.* into standing from private.guest_votes v
  where v.venue_id = here and v.listener_id = it.listener_id and v.song_id = p_song and v.counts;
  if standing.vote_value is distinct from p_value then
    select count(*), min(v.cast_at) into lately, oldest from private.guest_votes v
    where v.venue_id = here and v.listener_id = it.listener_id and v.cast_at > p_now - interval '1 minute';
    if (p_limits ->> 'votes_per_minute')::int <= lately then
      return private.guest_told('too_often', greatest(1, ceil(extract(epoch from oldest + interval '1 minute' - p_now)))::int, false, it);
    end if;
    update private.guest_votes v set counts = false where v.venue_id = here and v.id = standing.id;
    insert into private.guest_votes (venue_id, id, session_id, listener_id, song_id, vote_value, cast_at)
    values (here, p_vote, it.id, it.listener_id, p_song, p_value, greatest(p_now, standing.cast_at + interval '1 millisecond'))
    returning * into standing;
  end if;
  insert into private.guest_keys (venue_id, listener_id, key, what, target, at)
  values (here, it.listener_id, p_key, 'vote', standing.id, p_now);
  return private.guest_told('voted ' || standing.id, 0, false, it);
end $$;

-- Out, at once.
create function private.guest_leaves(p_token bytea, p_key uuid, p_limits jsonb, p_now timestamptz) returns private.guest_seen
language plpgsql security definer set search_path = '' as $$
declare
  here uuid := private.guest_venue();
  who private.guest_seen := private.guest_by_token(p_token, p_limits, p_now);
  known private.guest_keys;
  it private.guest_sessions;
begin
  if who.outcome = 'nobody' then
    return who;
  end if;
  perform from private.guest_devices d where d.venue_id = here and d.id = who.device_id for update;
  select s.* into it from private.guest_sessions s where s.venue_id = here and s.id = who.id;
  select k.* into known from private.guest_keys k where k.venue_id = here and k.listener_id = it.listener_id and k.key = p_key;
  if known.key is not null then
    return private.guest_told(case when known.what = 'check_out' and known.target = it.id then 'left' else 'key_used' end, 0, false, it);
  elsif who.outcome = 'gone' then
    return who;
  end if;
  update private.guest_sessions s set status = 'ended', last_seen_at = greatest(s.last_seen_at, p_now)
  where s.venue_id = here and s.id = it.id returning * into it;
  insert into private.guest_keys (venue_id, listener_id, key, what, target, at)
  values (here, it.listener_id, p_key, 'check_out', it.id, p_now);
  return private.guest_told('left', 0, false, it);
end $$;

-- What managers do ----------------------------------------------------------------------------------------------------

-- The code of a venue's page, where it has one; for the staff.
create function private.guest_code(p_venue uuid) returns text
language sql stable security definer set search_path = '' as $$
  select d.code from private.guest_doors d
  where d.venue_id = p_venue and private.role_rank(private.my_role(p_venue)) >= private.role_rank('staff') $$;

-- Opens the page with a new code. Who shows the one before stays outside from now on; who is in stays in.
create function private.open_guest_page(p_venue uuid) returns text
language plpgsql security definer set search_path = '' as $$
declare fresh text;
begin
  perform private.require_role(p_venue, 'manager');
  select string_agg(substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', get_byte(b.bytes, i) % 32 + 1, 1), '') into fresh
  from (select sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) as bytes) b, generate_series(0, 9) i;
  insert into private.guest_doors (venue_id, code) values (p_venue, fresh)
  on conflict (venue_id) do update set code = excluded.code, opened_at = now();
  perform private.audit(null, p_venue, 'guest_page.opened', 'Venue:' || p_venue);
  return fresh;
end $$;

-- Closes it: it shows nothing and takes nothing from now on. False where it was closed.
create function private.close_guest_page(p_venue uuid) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  perform private.require_role(p_venue, 'manager');
  update private.guest_sessions set status = 'ended' where venue_id = p_venue and status = 'active';
  delete from private.guest_doors where venue_id = p_venue;
  if not found then
    return false;
  end if;
  perform private.audit(null, p_venue, 'guest_page.closed', 'Venue:' || p_venue);
  return true;
end $$;

-- Upkeep: a hub that was away for a month still gets what was said meanwhile; history keeps it for longer.
create function private.sweep_guests(p_now timestamptz) returns bigint
language plpgsql security definer set search_path = '' as $$
declare gone bigint;
begin
  delete from private.guest_votes where cast_at < p_now - interval '35 days';
  get diagnostics gone = row_count;
  delete from private.guest_sessions s where s.expires_at < p_now - interval '35 days'
    and not exists (select from private.guest_votes v where v.venue_id = s.venue_id and v.session_id = s.id);
  delete from private.guest_devices d where d.last_seen_at < p_now - interval '180 days'
    and not exists (select from private.guest_sessions s where s.venue_id = d.venue_id and s.device_id = d.id);
  delete from private.guest_keys where at < p_now - interval '2 days';
  delete from private.guest_limits where full_at < p_now;
  return gone;
end $$;

-- Who may do what -----------------------------------------------------------------------------------------------------

do $$
declare t text;
declare f regprocedure;
begin
  foreach t in array array['guest_doors', 'rooms_told', 'guest_devices', 'guest_sessions', 'guest_votes', 'guest_keys', 'guest_limits'] loop
    execute format('revoke all on private.%I from public, anon, authenticated, service_role, roomtone_hub, roomtone_cloud, roomtone_guest', t);
    execute format('alter table private.%I enable row level security', t);
    execute format('create policy %1$s_service on private.%1$I for select to roomtone_cloud using (true)', t);
    execute format('grant select on private.%I to roomtone_cloud', t);
  end loop;
  foreach f in array array['private.feed_guest_sessions()', 'private.feed_guest_votes()', 'private.guest_page(text)',
    'private.guest_venue()', 'private.guest_organisation()', 'private.guest_take(uuid, text, int, int, timestamptz)',
    'private.guest_votes_of(uuid, uuid)', 'private.guest_told(text, int, boolean, private.guest_sessions)',
    'private.guest_arrives(uuid, uuid[], text, uuid, text, bytea, bytea, bytea, text, jsonb, timestamptz)',
    'private.guest_by_token(bytea, jsonb, timestamptz)',
    'private.guest_votes_for(bytea, uuid, uuid, uuid, int, jsonb, timestamptz)',
    'private.guest_leaves(bytea, uuid, jsonb, timestamptz)', 'private.guest_code(uuid)', 'private.open_guest_page(uuid)',
    'private.close_guest_page(uuid)', 'private.sweep_guests(timestamptz)']::regprocedure[]
  loop
    execute format('revoke execute on function %s from public, anon, authenticated, roomtone_hub, roomtone_cloud', f);
  end loop;
end $$;
grant execute on function private.guest_page(text), private.guest_venue(), private.guest_organisation(),
  private.guest_arrives(uuid, uuid[], text, uuid, text, bytea, bytea, bytea, text, jsonb, timestamptz),
  private.guest_by_token(bytea, jsonb, timestamptz), private.guest_votes_for(bytea, uuid, uuid, uuid, int, jsonb, timestamptz),
  private.guest_leaves(bytea, uuid, jsonb, timestamptz) to roomtone_guest;
grant execute on function private.guest_code(uuid), private.open_guest_page(uuid), private.close_guest_page(uuid) to authenticated;
grant execute on function private.sweep_guests(timestamptz) to roomtone_cloud;

-- A hub reads what is for it, without what opens anything, and tells what its zones show.
grant select (venue_id, id, device_id, listener_id, zone_id, display_name, status, checked_in_at, last_seen_at, expires_at)
  on private.guest_sessions to roomtone_hub;
grant select on private.guest_votes to roomtone_hub;
create policy guest_sessions_hub on private.guest_sessions for select to roomtone_hub using (venue_id = (select private.hub_venue()));
create policy guest_votes_hub on private.guest_votes for select to roomtone_hub using (venue_id = (select private.hub_venue()));
grant select, insert, update on private.rooms_told to roomtone_hub;
create policy rooms_told_hub_read on private.rooms_told for select to roomtone_hub using (venue_id = (select private.hub_venue()));
create policy rooms_told_hub_add on private.rooms_told for insert to roomtone_hub
  with check (venue_id = (select private.hub_venue()) and hub_id = (select private.hub_id()));
create policy rooms_told_hub_edit on private.rooms_told for update to roomtone_hub
  using (venue_id = (select private.hub_venue())) with check (venue_id = (select private.hub_venue()) and hub_id = (select private.hub_id()));

-- A guest sees what the page shows of this one venue.
grant select on private.rooms_told to roomtone_guest;
create policy rooms_told_guest on private.rooms_told for select to roomtone_guest using (venue_id = (select private.guest_venue()));
grant select (id, slug, name, timezone) on public.venues to roomtone_guest;
create policy venues_guest on public.venues for select to roomtone_guest using (id = (select private.guest_venue()));
grant select (id, venue_id, name, settings, archived_at) on public.zones to roomtone_guest;
create policy zones_guest on public.zones for select to roomtone_guest using (venue_id = (select private.guest_venue()));
grant select (venue_id, song_id, enabled, removed_at, updated_at) on public.venue_songs to roomtone_guest;
create policy venue_songs_guest on public.venue_songs for select to roomtone_guest using (venue_id = (select private.guest_venue()));
grant select (id, organisation_id, title, artist, album, explicit, bpm, duration_ms, key, type, loudness_lufs, cue_in_ms, cue_out_ms,
  embedding, embedding_model_id, status, created_at, updated_at) on public.songs to roomtone_guest;
create policy songs_guest on public.songs for select to roomtone_guest using (organisation_id = (select private.guest_organisation()));
grant select (id, venue_id, zone_id, song_id, played_at, ended_at) on public.songs_playing to roomtone_guest;
create policy songs_playing_guest on public.songs_playing for select to roomtone_guest using (venue_id = (select private.guest_venue()));
grant select (id, venue_id, last_seen_at, enrolled_at, revoked_at) on public.hubs to roomtone_guest;
create policy hubs_guest on public.hubs for select to roomtone_guest using (venue_id = (select private.guest_venue()));
