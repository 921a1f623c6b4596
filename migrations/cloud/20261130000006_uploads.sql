-- Uploads: what people may do with theirs, and what the analysis does with everybody's.
--
-- Nobody writes here but by these functions and the cloud's own work: a row names an object that the cloud will read and
-- remove, so a row of somebody's own making could point it at another tenant's. Codes of refusals as in the migration
-- before; besides, RT410 too late, RT429 too many.

set lock_timeout = '5s';

-- From when on whatever lies at object_key is to be removed; null when nothing can lie there any more. An address that
-- was signed is good for a while, also after the upload has come to its end, so the sweep comes again after expires_at.
alter table public.song_uploads add column sweep_after timestamptz;
create index song_uploads_sweep_idx on public.song_uploads (sweep_after) where sweep_after is not null;
drop index public.song_uploads_open_idx;
create index song_uploads_open_idx on public.song_uploads (id) where state in ('queued', 'analysing');
alter table public.song_uploads drop constraint song_uploads_state_check;
alter table public.song_uploads add constraint song_uploads_state_check
  check (state in ('waiting', 'queued', 'analysing', 'done', 'refused', 'cancelled', 'expired'));
-- The object is its own upload's, and nothing else ever is.
alter table public.song_uploads add constraint song_uploads_object_key_check1 check (object_key = 'staging/' || id);

grant select (id, organisation_id, user_id, filename, object_key, content_sha256, content_bytes, content_type, multipart_id,
              part_bytes, state, refusal_code, refusal, song_id, venue_ids, expires_at, created_at, updated_at)
  on public.song_uploads to authenticated;
grant select on public.song_uploads to roomtone_cloud;
grant update (state, refusal_code, refusal, song_id, attempts, claimed_by, claimed_until, sweep_after)
  on public.song_uploads to roomtone_cloud;
create policy song_uploads_read on public.song_uploads for select to authenticated
  using (organisation_id = any (array(select private.my_organisations('viewer'))));
create policy song_uploads_service_read on public.song_uploads for select to roomtone_cloud using (true);
create policy song_uploads_service_edit on public.song_uploads for update to roomtone_cloud
  using (true) with check (organisation_id is not null);

-- Announces a file. How many may be open at once is a bound for one person in all places together.
create function private.begin_song_upload(p_id uuid, p_organisation uuid, p_filename text, p_sha256 bytea, p_bytes bigint,
  p_content_type text, p_open_for interval, p_most_open int) returns void
language plpgsql security definer set search_path = '' as $$
declare
  me uuid := (select auth.uid());
  open_ones int;
begin
  perform private.require_role_in(p_organisation, 'staff');
  perform pg_advisory_xact_lock(hashtextextended('song_uploads/' || me, 0));
  select count(*) into open_ones from public.song_uploads u
  where u.user_id = me and u.state in ('waiting', 'queued', 'analysing');
  if open_ones >= p_most_open then
    raise exception using errcode = 'RT429',
      message = format('you have %s uploads under way, and that is the most; finish or cancel some first', open_ones);
  end if;
  insert into public.song_uploads (id, organisation_id, user_id, filename, object_key, content_sha256, content_bytes,
    content_type, expires_at, sweep_after)
  values (p_id, p_organisation, me, p_filename, 'staging/' || p_id, p_sha256, p_bytes, p_content_type, now() + p_open_for,
    now() + p_open_for);
end $$;

-- An upload that the caller may change, locked.
create function private.require_song_upload(p_id uuid) returns public.song_uploads
language plpgsql security definer set search_path = '' as $$
declare it public.song_uploads;
begin
  select u.* into it from public.song_uploads u where u.id = p_id for update;
  if it.id is null or private.my_role_in(it.organisation_id) is null then
    raise exception using errcode = 'RT404', message = 'there is no such upload, or it is not yours';
  end if;
  perform private.require_role_in(it.organisation_id, 'staff');
  return it;
end $$;

create function private.require_waiting_upload(p_id uuid) returns public.song_uploads
language plpgsql security definer set search_path = '' as $$
declare it public.song_uploads := private.require_song_upload(p_id);
begin
  if it.state = 'expired' or (it.state = 'waiting' and it.expires_at <= now()) then
    raise exception using errcode = 'RT410', message = 'this upload has expired; begin a new one';
  elsif it.state <> 'waiting' then
    raise exception using errcode = 'RT409', message = format('this upload waits for no bytes any more: it is %s', it.state);
  end if;
  return it;
end $$;

-- Notes that a file goes in parts; false where somebody else has noted it meanwhile.
create function private.divide_song_upload(p_id uuid, p_multipart_id text, p_part_bytes bigint) returns boolean
language plpgsql security definer set search_path = '' as $$
declare it public.song_uploads := private.require_waiting_upload(p_id);
begin
  update public.song_uploads set multipart_id = p_multipart_id, part_bytes = p_part_bytes
  where id = p_id and multipart_id is null;
  return found;
end $$;

-- All bytes are there: the file is to be looked at.
create function private.finalise_song_upload(p_id uuid, p_own_values jsonb, p_venues uuid[]) returns void
language plpgsql security definer set search_path = '' as $$
declare
  it public.song_uploads := private.require_waiting_upload(p_id);
  venue uuid;
begin
  foreach venue in array p_venues loop
    perform private.require_role(venue, 'staff');
    if not exists (select from public.venues v where v.id = venue and v.organisation_id = it.organisation_id) then
      raise exception using errcode = 'RT422', message = 'a song can only be assigned to venues of its own organisation';
    end if;
  end loop;
  update public.song_uploads set state = 'queued', own_values = p_own_values, venue_ids = p_venues
  where id = p_id;
end $$;

create function private.cancel_song_upload(p_id uuid) returns void
language plpgsql security definer set search_path = '' as $$
declare it public.song_uploads := private.require_song_upload(p_id);
begin
  if it.state in ('cancelled', 'expired', 'refused') then
    return;
  elsif it.state = 'analysing' then
    raise exception using errcode = 'RT409', message = 'the file is being looked at right now; withdraw the song afterwards';
  elsif it.state = 'done' then
    raise exception using errcode = 'RT409', message = 'the song is in the catalogue already; withdraw it instead';
  end if;
  update public.song_uploads set state = 'cancelled', sweep_after = now() where id = p_id;
end $$;

do $$
declare f regprocedure;
begin
  foreach f in array array[
    'private.begin_song_upload(uuid, uuid, text, bytea, bigint, text, interval, int)',
    'private.divide_song_upload(uuid, text, bigint)', 'private.finalise_song_upload(uuid, jsonb, uuid[])',
    'private.cancel_song_upload(uuid)']::regprocedure[]
  loop
    execute format('revoke execute on function %s from public, anon', f);
    execute format('grant execute on function %s to authenticated', f);
  end loop;
  foreach f in array array['private.require_song_upload(uuid)', 'private.require_waiting_upload(uuid)']::regprocedure[]
  loop
    execute format('revoke execute on function %s from public, anon, authenticated', f);
  end loop;
end $$;
