-- Players are let in from here: a manager gets a code, the hub fetches it and opens its window with it, and the player shows
-- to the hub that somebody has typed it there, as ever.
--
-- The row comes down in the venue's scope and says for which hub, as what and until when, and never the code: no hub keeps
-- it on its disk, and no snapshot and no other hub has it. That hub asks for it once more, and then it is gone here, too.

set lock_timeout = '5s';

create table public.player_pairings (
  id uuid primary key,
  venue_id uuid not null references public.venues (id) on delete cascade,
  hub_id uuid not null references public.hubs (id) on delete cascade,
  zone_id uuid,
  -- As the hub takes it (hub/src/players.rs).
  name text check (length(name) between 1 and 60),
  -- Until the hub has opened its window with it, or the time is over.
  digits text check (digits ~ '^[0-9]{8}$'),
  state text not null default 'waiting'
    check (state in ('waiting', 'ready', 'paired', 'used_up', 'no_zone', 'closed', 'expired')),
  -- Who came in. Its fact may come later.
  player_id uuid,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  check (digits is null or state = 'waiting'),
  foreign key (venue_id, zone_id) references public.zones (venue_id, id) on delete set null (zone_id));
create index player_pairings_venue_idx on public.player_pairings (venue_id, created_at);
create index player_pairings_zone_idx on public.player_pairings (venue_id, zone_id);
-- A hub has one window.
create unique index player_pairings_open_idx on public.player_pairings (hub_id) where state in ('waiting', 'ready');
create index player_pairings_hub_idx on public.player_pairings (hub_id);
create index player_pairings_ends_idx on public.player_pairings (expires_at) where state in ('waiting', 'ready');

-- Down ----------------------------------------------------------------------------------------------------------------

-- One that is over is gone. That the hub has opened its window is no news for it.
create function private.feed_player_pairings() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'UPDATE' then
    insert into private.feed_pending (xid, scope, kind, pk, gone)
    select pg_current_xact_id(), 'venue:' || n.venue_id, 'player_pairing', n.id, n.state not in ('waiting', 'ready')
    from new_rows n join old_rows o on o.id = n.id
    where (n.state in ('waiting', 'ready'), n.expires_at) is distinct from (o.state in ('waiting', 'ready'), o.expires_at) order by n.id;
  else
    insert into private.feed_pending (xid, scope, kind, pk, gone)
    select pg_current_xact_id(), 'venue:' || r.venue_id, 'player_pairing', r.id, tg_op = 'DELETE'
    from the_rows r where r.state in ('waiting', 'ready') order by r.id;
  end if;
  if found then
    perform private.feed_open();
  end if;
  return null;
end $$;

create trigger player_pairings_feed_add after insert on public.player_pairings referencing new table as the_rows
  for each statement execute function private.feed_player_pairings();
create trigger player_pairings_feed_edit after update on public.player_pairings referencing new table as new_rows old table as old_rows
  for each statement execute function private.feed_player_pairings();
create trigger player_pairings_feed_remove after delete on public.player_pairings referencing old table as the_rows
  for each statement execute function private.feed_player_pairings();

-- What managers do ----------------------------------------------------------------------------------------------------

-- A pairing at a hub, or at the one hub of a venue. One that was open there is closed by it, as at the hub itself.
create function private.open_pairing(p_pairing uuid, p_hub uuid, p_venue uuid, p_name text, p_zone uuid, p_digits text,
  p_lasts_s int, p_most_an_hour int) returns uuid
language plpgsql security definer set search_path = '' as $$
declare
  it public.hubs;
  hubs uuid[];
begin
  if p_hub is null then
    perform private.require_role(p_venue, 'manager');
    select array_agg(h.id) into hubs from public.hubs h
    where h.venue_id = p_venue and h.enrolled_at is not null and h.revoked_at is null;
    if hubs is null then
      raise exception using errcode = 'RT409', message = 'this venue has no hub yet that could let a player in; enrol one first';
    elsif array_length(hubs, 1) > 1 then
      raise exception using errcode = 'RT422', message = 'this venue has several hubs; say which one is to let the player in';
    end if;
    p_hub := hubs[1];
  end if;
  it := private.require_hub(p_hub);
  if it.enrolled_at is null or it.revoked_at is not null then
    raise exception using errcode = 'RT409', message = 'this hub is not let in, so it lets nobody in; enrol it first';
  elsif p_zone is not null and not exists (select from public.zones z
      where z.id = p_zone and z.venue_id = it.venue_id and z.archived_at is null) then
    raise exception using errcode = 'RT404', message = 'the hub''s venue has no such zone';
  end if;
  -- One at a time in a venue, so that the bound holds.
  perform pg_advisory_xact_lock(hashtextextended('pairings ' || it.venue_id, 0));
  if p_most_an_hour <= (select count(*) from public.player_pairings p
      where p.venue_id = it.venue_id and p.created_at > now() - interval '1 hour') then
    raise exception using errcode = 'RT429', message = 'many pairings were begun here within the hour; wait a little, or pair at the hub';
  end if;
  update public.player_pairings set state = 'closed', digits = null where hub_id = p_hub and state in ('waiting', 'ready');
  insert into public.player_pairings (id, venue_id, hub_id, zone_id, name, digits, expires_at)
  values (p_pairing, it.venue_id, p_hub, p_zone, p_name, p_digits, now() + make_interval(secs => p_lasts_s));
  perform private.audit(null, it.venue_id, 'pairing.opened', 'PlayerPairing:' || p_pairing,
    jsonb_strip_nulls(jsonb_build_object('hub', it.name, 'name', p_name)));
  return it.venue_id;
end $$;

create function private.require_pairing(p_pairing uuid) returns public.player_pairings
language plpgsql security definer set search_path = '' as $$
declare it public.player_pairings;
begin
  select p.* into it from public.player_pairings p where p.id = p_pairing for update;
  if it.id is null or private.my_role(it.venue_id) is null then
    raise exception using errcode = 'RT404', message = 'there is no such pairing, or it is not yours';
  end if;
  perform private.require_role(it.venue_id, 'manager');
  return it;
end $$;

-- A fresh code for a pairing that is open: the code before is void, and its hub opens another window.
create function private.renew_pairing(p_pairing uuid, p_digits text, p_lasts_s int) returns void
language plpgsql security definer set search_path = '' as $$
declare it public.player_pairings := private.require_pairing(p_pairing);
begin
  if it.state not in ('waiting', 'ready') or it.expires_at <= now() then
    raise exception using errcode = 'RT409', message = 'this pairing is over; ask for a new one with a new idempotencyKey';
  end if;
  update public.player_pairings set state = 'waiting', digits = p_digits,
    expires_at = greatest(now() + make_interval(secs => p_lasts_s), expires_at + interval '1 millisecond') where id = p_pairing;
end $$;

create function private.close_pairing(p_pairing uuid) returns uuid
language plpgsql security definer set search_path = '' as $$
declare it public.player_pairings := private.require_pairing(p_pairing);
begin
  if it.state in ('waiting', 'ready') then
    update public.player_pairings set state = 'closed', digits = null where id = p_pairing;
    perform private.audit(null, it.venue_id, 'pairing.closed', 'PlayerPairing:' || p_pairing);
  end if;
  return it.venue_id;
end $$;

-- What the hub does that it is for ------------------------------------------------------------------------------------

-- The code, and for how many milliseconds it is good. It stays until the hub says that its window is open: an answer that is
-- lost on its way is given again.
create function private.hub_pairing(p_pairing uuid, out digits text, out left_ms bigint)
language sql stable security definer set search_path = '' as $$
  select p.digits, (extract(epoch from p.expires_at - now()) * 1000)::bigint from public.player_pairings p
  where p.id = p_pairing and p.hub_id = (select private.hub_id()) and p.venue_id = (select private.hub_venue())
    and p.state = 'waiting' and p.expires_at > now() $$;

-- What became of it at the hub. What is over stays over.
create function private.hub_tells_pairing(p_pairing uuid, p_state text, p_player uuid) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  update public.player_pairings set state = p_state, digits = null, player_id = p_player
  where id = p_pairing and hub_id = (select private.hub_id()) and venue_id = (select private.hub_venue())
    and p_state in ('ready', 'paired', 'used_up', 'no_zone', 'closed')
    and (state in ('waiting', 'ready') or (state = 'expired' and p_state = 'paired')) and state <> p_state
    and (p_state <> 'closed' or expires_at > now());
  return found;
end $$;

-- Upkeep: what nobody fetched in time, and after a day that there was one.
create function private.sweep_pairings(p_now timestamptz) returns bigint
language plpgsql security definer set search_path = '' as $$
declare gone bigint;
begin
  update public.player_pairings set state = 'expired', digits = null where state in ('waiting', 'ready') and expires_at <= p_now;
  delete from public.player_pairings where expires_at < p_now - interval '1 day';
  get diagnostics gone = row_count;
  return gone;
end $$;

-- Who may do what -----------------------------------------------------------------------------------------------------

revoke all on public.player_pairings from public, anon, authenticated, service_role, roomtone_hub, roomtone_cloud, roomtone_guest;
alter table public.player_pairings enable row level security;
-- Not the code: nobody reads it but the hub that it is for, by the function.
grant select (id, venue_id, hub_id, zone_id, name, state, player_id, created_at, expires_at)
  on public.player_pairings to authenticated, roomtone_hub, roomtone_cloud;
create policy player_pairings_read on public.player_pairings for select to authenticated
  using (venue_id = any (array(select private.my_venues('manager'))));
create policy player_pairings_hub on public.player_pairings for select to roomtone_hub using (venue_id = (select private.hub_venue()));
create policy player_pairings_service on public.player_pairings for select to roomtone_cloud using (true);

do $$
declare f regprocedure;
begin
  foreach f in array array['private.feed_player_pairings()',
    'private.open_pairing(uuid, uuid, uuid, text, uuid, text, int, int)', 'private.require_pairing(uuid)',
    'private.renew_pairing(uuid, text, int)', 'private.close_pairing(uuid)', 'private.hub_pairing(uuid)',
    'private.hub_tells_pairing(uuid, text, uuid)', 'private.sweep_pairings(timestamptz)']::regprocedure[]
  loop
    execute format('revoke execute on function %s from public, anon, authenticated, roomtone_hub, roomtone_cloud', f);
  end loop;
end $$;
grant execute on function private.open_pairing(uuid, uuid, uuid, text, uuid, text, int, int), private.renew_pairing(uuid, text, int),
  private.close_pairing(uuid) to authenticated;
grant execute on function private.hub_pairing(uuid), private.hub_tells_pairing(uuid, text, uuid) to roomtone_hub;
grant execute on function private.sweep_pairings(timestamptz) to roomtone_cloud;
