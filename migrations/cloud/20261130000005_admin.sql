-- What managers do and row policies cannot say: functions that check who calls them and leave a line in the audit log
-- in the same transaction. They tell why they refuse by the code of the error; the service makes a refusal of it:
--
--   RT403  not for this person     RT404  not there, or not for this person to know of
--   RT409  contradicts what is     RT422  not a value that would do
--
-- Something foreign and something that does not exist are answered alike, so nobody learns of what is not theirs.

set lock_timeout = '5s';

-- A report may be made for the rights societies (a line per song) or for oneself (a line per play).
alter table public.history_exports
  add column kind text not null default 'report' check (kind in ('report', 'plays'));

create function private.role_rank(p_role text) returns int language sql immutable set search_path = '' as $$
  select case p_role when 'owner' then 4 when 'manager' then 3 when 'staff' then 2 when 'viewer' then 1 else 0 end $$;

-- What the caller may do in a venue; null where it is none of theirs. An admin may do what an owner may.
create function private.my_role(p_venue uuid) returns text
language sql stable security definer set search_path = '' as $$
  select case when private.is_admin() and exists (select from public.venues v where v.id = p_venue) then 'owner'
         else (select m.role from public.venue_members m where m.venue_id = p_venue and m.user_id = (select auth.uid())) end $$;

-- The most that the caller may do in any venue of an organisation.
create function private.my_role_in(p_organisation uuid) returns text
language sql stable security definer set search_path = '' as $$
  select case when private.is_admin() and exists (select from public.organisations o where o.id = p_organisation) then 'owner'
         else (select m.role from public.venue_members m join public.venues v on v.id = m.venue_id
               where v.organisation_id = p_organisation and m.user_id = (select auth.uid())
               order by private.role_rank(m.role) desc limit 1) end $$;

create function private.require_role(p_venue uuid, p_role text) returns void
language plpgsql stable security definer set search_path = '' as $$
declare mine text := private.my_role(p_venue);
begin
  if mine is null then
    raise exception using errcode = 'RT404', message = 'there is no such venue, or it is not yours';
  elsif private.role_rank(mine) < private.role_rank(p_role) then
    raise exception using errcode = 'RT403', message = format('this takes the role %s in the venue, and yours is %s', p_role, mine);
  end if;
end $$;

create function private.require_role_in(p_organisation uuid, p_role text) returns void
language plpgsql stable security definer set search_path = '' as $$
declare mine text := private.my_role_in(p_organisation);
begin
  if mine is null then
    raise exception using errcode = 'RT404', message = 'there is no such organisation, or it is not yours';
  elsif private.role_rank(mine) < private.role_rank(p_role) then
    raise exception using errcode = 'RT403',
      message = format('this takes the role %s in a venue of the organisation, and yours is %s', p_role, mine);
  end if;
end $$;

-- A line of the log. Nobody writes there but by this, and only about what is theirs.
create function private.audit(p_organisation uuid, p_venue uuid, p_action text, p_target text, p_detail jsonb default '{}')
returns void language plpgsql security definer set search_path = '' as $$
begin
  if p_venue is not null then
    perform private.require_role(p_venue, 'viewer');
  else
    perform private.require_role_in(p_organisation, 'viewer');
  end if;
  insert into public.audit_log (organisation_id, venue_id, actor_id, action, target, detail)
  values (coalesce(p_organisation, (select v.organisation_id from public.venues v where v.id = p_venue)),
          p_venue, (select auth.uid()), p_action, p_target, p_detail);
end $$;

-- Venues --------------------------------------------------------------------------------------------------------------

create function private.create_venue(p_id uuid, p_organisation uuid, p_organisation_name text, p_name text, p_slug text,
  p_kind text, p_timezone text, p_penalty_hours int, p_crossfade_ms int) returns void
language plpgsql security definer set search_path = '' as $$
declare
  me uuid := (select auth.uid());
  owning uuid := p_organisation;
begin
  if owning is null then
    if not exists (select from public.roles r where r.user_id = me and r.role in ('admin', 'manager')) then
      raise exception using errcode = 'RT403',
        message = 'only managers may open a venue; an admin gives you the role with: roomtone-cloud admin grant';
    end if;
    insert into public.organisations (name) values (p_organisation_name) returning id into owning;
  else
    perform private.require_role_in(owning, 'owner');
  end if;
  begin
    insert into public.venues (id, organisation_id, slug, name, kind, timezone, penalty_hours, crossfade_ms)
    values (p_id, owning, p_slug, p_name, p_kind, p_timezone, p_penalty_hours, p_crossfade_ms);
  exception when unique_violation then
    raise exception using errcode = 'RT409', message = 'another venue has this slug; choose another one';
  end;
  insert into public.zones (venue_id, name) values (p_id, 'main');
  insert into public.venue_members (venue_id, user_id, role) values (p_id, me, 'owner');
  perform private.audit(owning, p_id, 'venue.created', 'Venue:' || p_id, jsonb_build_object('name', p_name));
end $$;

-- Puts a venue away or brings it back; says whether that changed anything.
create function private.archive_venue(p_venue uuid, p_away boolean) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  perform private.require_role(p_venue, 'owner');
  update public.venues set archived_at = case when p_away then now() end
  where id = p_venue and (archived_at is null) = p_away;
  if not found then
    return false;
  end if;
  perform private.audit(null, p_venue, case when p_away then 'venue.archived' else 'venue.restored' end, 'Venue:' || p_venue);
  return true;
end $$;

-- Zones ---------------------------------------------------------------------------------------------------------------

-- Settings come from the service alone, which knows what they may be: a row that nobody can read would be in the way of
-- every list that it is in.
create function private.create_zone(p_id uuid, p_venue uuid, p_name text, p_settings jsonb) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform private.require_role(p_venue, 'manager');
  perform from public.venues v where v.id = p_venue for update;
  if (select count(*) from public.zones z where z.venue_id = p_venue and z.archived_at is null) >= 50 then
    raise exception using errcode = 'RT429', message = 'a venue has at most 50 zones';
  end if;
  insert into public.zones (id, venue_id, name, settings) values (p_id, p_venue, p_name, p_settings);
  perform private.audit(null, p_venue, 'zone.created', 'Zone:' || p_id, jsonb_build_object('name', p_name));
end $$;

create function private.require_zone(p_zone uuid) returns public.zones
language plpgsql security definer set search_path = '' as $$
declare it public.zones;
begin
  select z.* into it from public.zones z where z.id = p_zone for update;
  if it.id is null or private.my_role(it.venue_id) is null then
    raise exception using errcode = 'RT404', message = 'there is no such zone, or it is not yours';
  end if;
  perform private.require_role(it.venue_id, 'manager');
  return it;
end $$;

-- `p_changes` is what the line of the log tells.
create function private.change_zone(p_zone uuid, p_name text, p_settings jsonb, p_changes jsonb) returns void
language plpgsql security definer set search_path = '' as $$
declare it public.zones := private.require_zone(p_zone);
begin
  update public.zones set name = p_name, settings = p_settings where id = p_zone;
  perform private.audit(null, it.venue_id, 'zone.updated', 'Zone:' || p_zone, p_changes);
end $$;

create function private.archive_zone(p_zone uuid) returns void
language plpgsql security definer set search_path = '' as $$
declare it public.zones := private.require_zone(p_zone);
begin
  if it.name = 'main' then
    raise exception using errcode = 'RT409', message = 'every venue has its main zone';
  end if;
  if it.archived_at is null then
    update public.zones set archived_at = now() where id = p_zone;
    perform private.audit(null, it.venue_id, 'zone.archived', 'Zone:' || p_zone, jsonb_build_object('name', it.name));
  end if;
end $$;

-- Songs and reports ---------------------------------------------------------------------------------------------------

-- Takes a song out of the catalogue or brings it back; says whether that changed anything.
create function private.withdraw_song(p_song uuid, p_out boolean) returns boolean
language plpgsql security definer set search_path = '' as $$
declare it public.songs;
begin
  select s.* into it from public.songs s where s.id = p_song for update;
  if it.id is null or private.my_role_in(it.organisation_id) is null then
    raise exception using errcode = 'RT404', message = 'there is no such song, or it is not yours';
  end if;
  perform private.require_role_in(it.organisation_id, 'staff');
  if (it.status <> 'withdrawn') is distinct from p_out then
    return false;
  end if;
  update public.songs
  set status = case when p_out then 'withdrawn' when duration_ms is null then 'failed' else 'ready' end where id = p_song;
  perform private.audit(it.organisation_id, null, case when p_out then 'song.withdrawn' else 'song.restored' end,
    'Song:' || p_song, jsonb_build_object('title', it.title));
  return true;
end $$;

-- Asks for a report. One at a time per venue, so that no more of them wait than may.
create function private.create_export(p_id uuid, p_venue uuid, p_from timestamptz, p_to timestamptz, p_kind text, p_format text)
returns void language plpgsql security definer set search_path = '' as $$
begin
  perform private.require_role(p_venue, 'manager');
  if p_from is null or p_to is null or p_from >= p_to or p_to - p_from > interval '367 days' then
    raise exception using errcode = 'RT422', message = 'a report is about at most 367 days, and ends after it begins';
  end if;
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('roomtone.exports.' || p_venue, 0));
  if (select count(*) from public.history_exports e where e.venue_id = p_venue and e.status in ('queued', 'running')) >= 5 then
    raise exception using errcode = 'RT429', message = '5 reports of this venue are waiting; ask again when one is ready';
  end if;
  insert into public.history_exports (id, venue_id, user_id, range_from, range_to, kind, format)
  values (p_id, p_venue, (select auth.uid()), p_from, p_to, p_kind, p_format);
  perform private.audit(null, p_venue, 'export.created', 'HistoryExport:' || p_id,
    jsonb_build_object('from', p_from, 'to', p_to, 'kind', p_kind, 'format', p_format));
end $$;

-- Who was there, for counting them: the same person is the same within one question, and nobody in particular.
create function private.visits(p_venue uuid, p_from timestamptz, p_to timestamptz) returns table (id uuid, listener uuid)
language sql stable security definer set search_path = '' as $$
  select s.id, md5(concat(p_venue, p_from, p_to, coalesce(s.user_id, s.guest_id, s.id)))::uuid
  from public.sessions s
  where s.venue_id = p_venue and s.venue_id = any (array(select private.my_venues()))
    and s.id >= private.uuid7_floor(p_from) and s.id < private.uuid7_floor(p_to) $$;

-- Members -------------------------------------------------------------------------------------------------------------

-- Who changes who is in: a manager below owner, an owner everybody. One at a time per venue, so that two owners who
-- remove each other do not both succeed.
create function private.guard_members(p_venue uuid, p_from text, p_to text) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform private.require_role(p_venue, 'manager');
  perform from public.venues v where v.id = p_venue for update;
  if 'owner' in (coalesce(p_from, ''), coalesce(p_to, '')) then
    perform private.require_role(p_venue, 'owner');
  end if;
end $$;

create function private.keep_an_owner(p_venue uuid, p_user uuid) returns void
language plpgsql stable security definer set search_path = '' as $$
begin
  if not exists (select from public.venue_members m where m.venue_id = p_venue and m.role = 'owner' and m.user_id <> p_user) then
    raise exception using errcode = 'RT409', message = 'this is the venue''s last owner; make somebody else an owner first';
  end if;
end $$;

create function private.add_member(p_venue uuid, p_email text, p_role text) returns uuid
language plpgsql security definer set search_path = '' as $$
declare
  who uuid;
  found_people uuid[];
  old text;
begin
  perform private.guard_members(p_venue, null, p_role);
  -- Anybody can sign up with somebody else's address: it is theirs once they have shown that its post reaches them.
  select array_agg(p.id) into found_people from public.profiles p join auth.users u on u.id = p.id
  where lower(u.email) = lower(p_email) and u.email_confirmed_at is not null and not u.is_anonymous;
  who := found_people[1];
  if who is null then
    raise exception using errcode = 'RT404',
      message = 'nobody with this address has an account yet, or they have not confirmed the address; ask them to sign in once, then add them again';
  elsif cardinality(found_people) > 1 then
    raise exception using errcode = 'RT409', message = 'more than one account has this address; nobody was added';
  end if;
  select m.role into old from public.venue_members m where m.venue_id = p_venue and m.user_id = who;
  if old is not null and old <> p_role then
    raise exception using errcode = 'RT409', message = format('they are a member already, as %s; change the role instead', old);
  end if;
  if old is null then
    insert into public.venue_members (venue_id, user_id, role) values (p_venue, who, p_role);
    perform private.audit(null, p_venue, 'member.added', 'User:' || who, jsonb_build_object('role', p_role));
  end if;
  return who;
end $$;

create function private.member_role(p_venue uuid, p_user uuid) returns text
language plpgsql stable security definer set search_path = '' as $$
declare found_role text;
begin
  perform private.require_role(p_venue, 'viewer');
  select m.role into found_role from public.venue_members m where m.venue_id = p_venue and m.user_id = p_user;
  if found_role is null then
    raise exception using errcode = 'RT404', message = 'they are no member of this venue';
  end if;
  return found_role;
end $$;

create function private.change_member_role(p_venue uuid, p_user uuid, p_role text) returns void
language plpgsql security definer set search_path = '' as $$
declare old text := private.member_role(p_venue, p_user);
begin
  perform private.guard_members(p_venue, old, p_role);
  old := private.member_role(p_venue, p_user);   -- again, now that nobody else changes it
  if old = 'owner' and p_role <> 'owner' then
    perform private.keep_an_owner(p_venue, p_user);
  end if;
  update public.venue_members set role = p_role where venue_id = p_venue and user_id = p_user;
  perform private.audit(null, p_venue, 'member.changed', 'User:' || p_user, jsonb_build_object('from', old, 'to', p_role));
end $$;

create function private.remove_member(p_venue uuid, p_user uuid) returns void
language plpgsql security definer set search_path = '' as $$
declare old text := private.member_role(p_venue, p_user);
begin
  if p_user = (select auth.uid()) then   -- anybody may leave
    perform from public.venues v where v.id = p_venue for update;
  else
    perform private.guard_members(p_venue, old, null);
  end if;
  old := private.member_role(p_venue, p_user);
  if old = 'owner' then
    perform private.keep_an_owner(p_venue, p_user);
  end if;
  perform private.audit(null, p_venue, 'member.removed', 'User:' || p_user, jsonb_build_object('role', old));
  delete from public.venue_members where venue_id = p_venue and user_id = p_user;
end $$;

-- Hubs and players ----------------------------------------------------------------------------------------------------

create function private.enrol_hub(p_hub uuid, p_venue uuid, p_name text, p_hash bytea, p_expires timestamptz) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform private.require_role(p_venue, 'manager');
  if exists (select from public.venues v where v.id = p_venue and v.archived_at is not null) then
    raise exception using errcode = 'RT409', message = 'this venue is archived; bring it back first';
  end if;
  insert into public.hubs (id, venue_id, name, enrolment_hash, enrolment_expires_at)
  values (p_hub, p_venue, p_name, p_hash, p_expires);
  perform private.audit(null, p_venue, 'hub.created', 'Hub:' || p_hub, jsonb_build_object('name', p_name));
end $$;

create function private.require_hub(p_hub uuid) returns public.hubs
language plpgsql security definer set search_path = '' as $$
declare it public.hubs;
begin
  select h.* into it from public.hubs h where h.id = p_hub for update;
  if it.id is null or private.my_role(it.venue_id) is null then
    raise exception using errcode = 'RT404', message = 'there is no such hub, or it is not yours';
  end if;
  perform private.require_role(it.venue_id, 'manager');
  return it;
end $$;

-- A fresh code for a hub that waits for one: the old code is void.
create function private.renew_enrolment(p_hub uuid, p_hash bytea, p_expires timestamptz) returns void
language plpgsql security definer set search_path = '' as $$
declare it public.hubs := private.require_hub(p_hub);
begin
  if it.revoked_at is not null or it.enrolled_at is not null then
    raise exception using errcode = 'RT409',
      message = 'this hub has been enrolled or revoked since; ask for a new one with a new idempotencyKey';
  end if;
  update public.hubs set enrolment_hash = p_hash, enrolment_expires_at = p_expires where id = p_hub;
  perform private.audit(null, it.venue_id, 'hub.code_renewed', 'Hub:' || p_hub);
end $$;

create function private.rename_hub(p_hub uuid, p_name text) returns uuid
language plpgsql security definer set search_path = '' as $$
declare it public.hubs := private.require_hub(p_hub);
begin
  update public.hubs set name = p_name where id = p_hub;
  perform private.audit(null, it.venue_id, 'hub.renamed', 'Hub:' || p_hub, jsonb_build_object('from', it.name, 'to', p_name));
  return it.venue_id;
end $$;

-- For ever: a hub that is wanted again is enrolled anew. Its history stays.
create function private.revoke_hub(p_hub uuid) returns uuid
language plpgsql security definer set search_path = '' as $$
declare it public.hubs := private.require_hub(p_hub);
begin
  if it.revoked_at is null then
    update public.hubs set revoked_at = now(), enrolment_hash = null, enrolment_expires_at = null where id = p_hub;
    perform private.audit(null, it.venue_id, 'hub.revoked', 'Hub:' || p_hub, jsonb_build_object('name', it.name));
  end if;
  return it.venue_id;
end $$;

create function private.require_player(p_player uuid) returns public.players
language plpgsql security definer set search_path = '' as $$
declare it public.players;
begin
  select p.* into it from public.players p where p.id = p_player for update;
  if it.id is null or private.my_role(it.venue_id) is null then
    raise exception using errcode = 'RT404', message = 'there is no such player, or it is not yours';
  end if;
  perform private.require_role(it.venue_id, 'manager');
  return it;
end $$;

create function private.edit_player(p_player uuid, p_name text, p_zone uuid) returns uuid
language plpgsql security definer set search_path = '' as $$
declare it public.players := private.require_player(p_player);
begin
  if it.revoked_at is not null then
    raise exception using errcode = 'RT409', message = 'this player has been revoked';
  end if;
  if p_zone is not null and not exists (select from public.zones z
      where z.id = p_zone and z.venue_id = it.venue_id and z.archived_at is null) then
    raise exception using errcode = 'RT404', message = 'the player''s venue has no such zone';
  end if;
  update public.players set name = coalesce(p_name, name), zone_id = coalesce(p_zone, zone_id) where id = p_player;
  perform private.audit(null, it.venue_id, 'player.updated', 'Player:' || p_player,
    jsonb_strip_nulls(jsonb_build_object('name', p_name, 'zone', p_zone)));
  return it.venue_id;
end $$;

create function private.revoke_player(p_player uuid) returns uuid
language plpgsql security definer set search_path = '' as $$
declare it public.players := private.require_player(p_player);
begin
  if it.revoked_at is null then
    update public.players set revoked_at = now(), token = null, status = 'offline', current_song_id = null where id = p_player;
    perform private.audit(null, it.venue_id, 'player.revoked', 'Player:' || p_player, jsonb_build_object('name', it.name));
  end if;
  return it.venue_id;
end $$;

-- Functions are everybody's unless one takes that back.
do $$
declare f regprocedure;
begin
  foreach f in array array[
    'private.role_rank(text)', 'private.my_role(uuid)', 'private.my_role_in(uuid)', 'private.require_role(uuid, text)',
    'private.require_role_in(uuid, text)', 'private.audit(uuid, uuid, text, text, jsonb)',
    'private.create_venue(uuid, uuid, text, text, text, text, text, int, int)', 'private.add_member(uuid, text, text)',
    'private.archive_venue(uuid, boolean)', 'private.create_zone(uuid, uuid, text, jsonb)',
    'private.change_zone(uuid, text, jsonb, jsonb)', 'private.archive_zone(uuid)', 'private.withdraw_song(uuid, boolean)', 'private.visits(uuid, timestamptz, timestamptz)',
    'private.create_export(uuid, uuid, timestamptz, timestamptz, text, text)',
    'private.change_member_role(uuid, uuid, text)', 'private.remove_member(uuid, uuid)',
    'private.enrol_hub(uuid, uuid, text, bytea, timestamptz)', 'private.renew_enrolment(uuid, bytea, timestamptz)',
    'private.rename_hub(uuid, text)', 'private.revoke_hub(uuid)', 'private.edit_player(uuid, text, uuid)',
    'private.revoke_player(uuid)']::regprocedure[]
  loop
    execute format('revoke execute on function %s from public, anon', f);
    execute format('grant execute on function %s to authenticated', f);
  end loop;
  foreach f in array array[
    'private.guard_members(uuid, text, text)', 'private.keep_an_owner(uuid, uuid)', 'private.member_role(uuid, uuid)',
    'private.require_hub(uuid)', 'private.require_player(uuid)', 'private.require_zone(uuid)']::regprocedure[]
  loop
    execute format('revoke execute on function %s from public, anon, authenticated', f);
  end loop;
end $$;
