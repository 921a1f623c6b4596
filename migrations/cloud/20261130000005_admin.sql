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
grant insert (kind) on public.history_exports to authenticated;

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
  old text;
begin
  perform private.guard_members(p_venue, null, p_role);
  select p.id into who from public.profiles p where lower(p.email) = lower(p_email) order by p.created_at limit 1;
  if who is null then
    raise exception using errcode = 'RT404',
      message = 'nobody with this address has an account yet; ask them to sign in once, then add them again';
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
    'private.require_hub(uuid)', 'private.require_player(uuid)']::regprocedure[]
  loop
    execute format('revoke execute on function %s from public, anon, authenticated', f);
  end loop;
end $$;
