-- What hubs are served with besides their facts and feeds: letting them in, tickets, snapshots, the files of songs that
-- were born on a hub, and what of their facts a person has to decide about.

set lock_timeout = '5s';

-- Enrolment -----------------------------------------------------------------------------------------------------------

-- Trades a code for a key. The same key may show its code again until the code runs out, for the answer may have been
-- lost on the way; any other key finds it used. Who asks has no credential: the code is all there is, so what went wrong
-- is not told apart.
create function private.trade_enrolment(p_hash bytea, p_public_key bytea, p_software text)
returns table (hub_id uuid, venue_id uuid, organisation_id uuid, venue_name text, hub_name text)
language plpgsql security definer set search_path = '' as $$
declare
  it public.hubs;
  place public.venues;
begin
  select h.* into it from public.hubs h
  where h.enrolment_hash = p_hash and h.enrolment_expires_at > now() and h.revoked_at is null
    and (h.public_key is null or h.public_key = p_public_key)
  for update;
  select v.* into place from public.venues v where v.id = it.venue_id and v.archived_at is null;
  if place.id is null
    or exists (select from public.hubs h where h.id <> it.id and p_public_key in (h.public_key, h.next_public_key)) then
    return;
  end if;
  if it.public_key is null then
    update public.hubs set public_key = p_public_key, enrolled_at = now(), software = left(p_software, 80)
    where id = it.id;
    insert into public.audit_log (organisation_id, venue_id, action, target, detail)
    values (place.organisation_id, place.id, 'hub.enrolled', 'Hub:' || it.id,
      jsonb_build_object('name', it.name, 'key', encode(sha256(p_public_key), 'hex')));
  end if;
  return query select it.id, place.id, place.organisation_id, place.name, it.name;
end $$;
revoke execute on function private.trade_enrolment(bytea, bytea, text) from public, anon, authenticated, roomtone_hub;
grant execute on function private.trade_enrolment(bytea, bytea, text) to roomtone_cloud;

-- A hub hands in the key that it will show from now on; the one that it has vouches for it. Both are good until the new one
-- is used, for the answer may be lost on the way. False where the key is another hub's.
create function private.offer_key(p_public_key bytea) returns boolean
language plpgsql security definer set search_path = '' as $$
declare it public.hubs;
begin
  select h.* into it from public.hubs h
  where h.id = private.hub_id() and h.venue_id = private.hub_venue() and h.public_key is not null
  for update;
  if it.id is null
    or exists (select from public.hubs h where h.id <> it.id and p_public_key in (h.public_key, h.next_public_key)) then
    return false;
  end if;
  if p_public_key <> it.public_key then
    update public.hubs set next_public_key = p_public_key where id = it.id;
  end if;
  return true;
end $$;

-- The key that was handed in was used: the one before opens nothing from now on.
create function private.turn_key(p_public_key bytea) returns void
language plpgsql security definer set search_path = '' as $$
declare it public.hubs;
begin
  update public.hubs h set public_key = h.next_public_key, next_public_key = null
  where h.id = private.hub_id() and h.venue_id = private.hub_venue() and h.next_public_key = p_public_key
  returning h.* into it;
  if it.id is not null then
    insert into public.audit_log (organisation_id, venue_id, action, target, detail)
    select v.organisation_id, v.id, 'hub.key_changed', 'Hub:' || it.id,
      jsonb_build_object('name', it.name, 'key', encode(sha256(p_public_key), 'hex'))
    from public.venues v where v.id = it.venue_id;
  end if;
end $$;
revoke execute on function private.offer_key(bytea), private.turn_key(bytea)
  from public, anon, authenticated, roomtone_cloud;
grant execute on function private.offer_key(bytea), private.turn_key(bytea) to roomtone_hub;

-- Tickets -------------------------------------------------------------------------------------------------------------

-- Keys that sign check-in tickets. Hubs are told the public halves; nobody but the cloud's own work reads a seed.
create table private.ticket_keys (
  id uuid primary key default private.uuid7(),
  seed bytea not null check (octet_length(seed) = 32),
  public_key bytea not null unique check (octet_length(public_key) = 32),
  created_at timestamptz not null default now());
alter table private.ticket_keys enable row level security;
revoke all on private.ticket_keys from public, anon, authenticated, service_role, roomtone_hub, roomtone_cloud;
grant select, insert on private.ticket_keys to roomtone_cloud;
grant select (id, public_key, created_at) on private.ticket_keys to roomtone_hub;
create policy ticket_keys_service_read on private.ticket_keys for select to roomtone_cloud using (true);
create policy ticket_keys_service_add on private.ticket_keys for insert to roomtone_cloud with check (id is not null);
create policy ticket_keys_hub on private.ticket_keys for select to roomtone_hub using (true);

-- Snapshots -----------------------------------------------------------------------------------------------------------

-- The chunks from which a scope is built, as they lie in the media store. One that nothing names any more is removed
-- when the next is made and nobody can still be fetching it.
create table private.snapshots (
  scope text primary key,
  organisation_id uuid not null references public.organisations (id) on delete cascade,
  at_seq bigint not null, at_tag bigint not null,
  chunks jsonb not null check (jsonb_typeof(chunks) = 'array'),
  retired jsonb not null default '[]' check (jsonb_typeof(retired) = 'array'),
  -- The revision of each kind as the program told it that made the chunks: they lack what later ones have.
  told jsonb not null default '[]' check (jsonb_typeof(told) = 'array'),
  built_at timestamptz not null);
create index snapshots_organisation_idx on private.snapshots (organisation_id);
alter table private.snapshots enable row level security;
revoke all on private.snapshots from public, anon, authenticated, service_role, roomtone_hub, roomtone_cloud;
grant select, insert, update on private.snapshots to roomtone_cloud;
create policy snapshots_read on private.snapshots for select to roomtone_cloud using (true);
create policy snapshots_add on private.snapshots for insert to roomtone_cloud with check (scope is not null);
create policy snapshots_edit on private.snapshots for update to roomtone_cloud using (true) with check (scope is not null);

-- Files of songs that were born on a hub ------------------------------------------------------------------------------

-- They go the way of every upload; whoever sent them has no account.
alter table public.song_uploads add column hub_id uuid references public.hubs (id) on delete set null;
create index song_uploads_hub_idx on public.song_uploads (hub_id, content_sha256) where hub_id is not null;
grant select (hub_id) on public.song_uploads to authenticated;
grant insert (id, organisation_id, hub_id, filename, object_key, content_sha256, content_bytes, content_type, expires_at,
  sweep_after), update (expires_at) on public.song_uploads to roomtone_cloud;
create policy song_uploads_service_add on public.song_uploads for insert to roomtone_cloud with check (hub_id is not null);

-- Facts that are kept apart -------------------------------------------------------------------------------------------

alter table public.sync_quarantine add column id uuid not null default private.uuid7();
create unique index sync_quarantine_id_key on public.sync_quarantine (id);
create index sync_quarantine_hub_idx on public.sync_quarantine (hub_id, received_at desc, id desc);
grant select, update (outcome) on public.sync_quarantine to roomtone_cloud;
create policy sync_quarantine_service_edit on public.sync_quarantine for update to roomtone_cloud
  using (true) with check (venue_id is not null);

-- One that the caller may decide about, locked.
create function private.require_dead_letter(p_id uuid) returns public.sync_quarantine
language plpgsql security definer set search_path = '' as $$
declare it public.sync_quarantine;
begin
  select q.* into it from public.sync_quarantine q where q.id = p_id for update;
  if it.id is null or private.my_role(it.venue_id) is null then
    raise exception using errcode = 'RT404', message = 'there is no such dead letter, or it is not yours';
  end if;
  perform private.require_role(it.venue_id, 'manager');
  return it;
end $$;

-- Has it tried again, as one that waits; says of which hub it is.
create function private.retry_dead_letter(p_id uuid) returns uuid
language plpgsql security definer set search_path = '' as $$
declare it public.sync_quarantine := private.require_dead_letter(p_id);
begin
  update public.sync_quarantine set outcome = 'parked' where id = p_id;
  perform private.audit(null, it.venue_id, 'dead_letter.retried', 'Hub:' || it.hub_id,
    jsonb_build_object('kind', it.kind, 'seq', it.seq));
  return it.hub_id;
end $$;

-- Drops it for good. What it said stays in the log's line, as far as it fits.
create function private.discard_dead_letter(p_id uuid) returns uuid
language plpgsql security definer set search_path = '' as $$
declare it public.sync_quarantine := private.require_dead_letter(p_id);
begin
  delete from public.sync_quarantine where id = p_id;
  perform private.audit(null, it.venue_id, 'dead_letter.discarded', 'Hub:' || it.hub_id,
    jsonb_build_object('kind', it.kind, 'seq', it.seq, 'payload', left(it.payload::text, 2000)));
  return it.hub_id;
end $$;

revoke execute on function private.require_dead_letter(uuid) from public, anon, authenticated;
revoke execute on function private.retry_dead_letter(uuid), private.discard_dead_letter(uuid) from public, anon;
grant execute on function private.retry_dead_letter(uuid), private.discard_dead_letter(uuid) to authenticated;
