-- What comes down to hubs, and what the cloud keeps to understand them.
--
-- A feed has scopes: `catalogue:<organisation>` and `venue:<venue>`. A change is a number in its scope and a pointer to a
-- row; what the row says is read when somebody asks. Numbers are given at commit, under a lock of the scope's head, so
-- whoever has read up to a number has read everything below it. With each goes a tag drawn by lot: a cloud that was
-- restored from a backup gives the number again, but not the tag.

set lock_timeout = '5s';

-- Whether the media store has a song's bytes, verified.
alter table public.songs add column stored boolean not null default true;

-- The feed ------------------------------------------------------------------------------------------------------------

create table private.feed_heads (
  scope text collate "C" primary key,
  head bigint not null default 0 check (head >= 0),
  -- What lies below this is trimmed: whoever is behind it compares digests.
  floor bigint not null default 0 check (floor between 0 and head),
  -- The transaction that moved it last.
  moved xid8 not null default pg_current_xact_id()) with (fillfactor = 50);

create table private.feed (
  scope text collate "C" not null, seq bigint not null,
  kind text not null, pk uuid not null,
  tag bigint not null,
  at timestamptz not null default now(),
  primary key (scope, seq));
create index feed_at_idx on private.feed using brin (at);

-- The newest change of each row: its version.
create table private.feed_rows (
  scope text collate "C" not null, kind text collate "C" not null, pk uuid not null,
  seq bigint not null, gone boolean not null,
  bucket smallint not null,
  primary key (scope, kind, pk)) with (fillfactor = 80);

-- Changes of transactions under way. No row of these is ever committed, so they need no log.
create unlogged table private.feed_pending (
  id bigint generated always as identity primary key,
  xid xid8 not null, scope text collate "C" not null, kind text not null, pk uuid not null, gone boolean not null);
create index feed_pending_xid_idx on private.feed_pending (xid);
create unlogged table private.feed_tx (xid xid8 primary key);

-- Numbers what this transaction has changed. All heads are locked in the order of their names, so that two transactions
-- never wait for each other. A row that changed many times is one change.
create function private.feed_seal() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into private.feed_heads (scope) select distinct p.scope from private.feed_pending p where p.xid = new.xid order by 1
  on conflict (scope) do nothing;
  perform from private.feed_heads h
  where h.scope in (select p.scope from private.feed_pending p where p.xid = new.xid) order by h.scope for update;
  with taken as (delete from private.feed_pending p where p.xid = new.xid returning p.*),
  changes as (
    select distinct on (t.scope, t.kind, t.pk) t.scope, t.kind, t.pk, t.gone, t.id
    from taken t order by t.scope, t.kind, t.pk, t.id desc),
  grown as (
    update private.feed_heads h set head = h.head + c.many, moved = new.xid
    from (select scope, count(*) as many from changes group by scope) c where h.scope = c.scope
    returning h.scope, h.head - c.many as base),
  numbered as materialized (
    select c.scope, g.base + row_number() over (partition by c.scope order by c.id) as seq, c.kind, c.pk, c.gone
    from changes c join grown g on g.scope = c.scope),
  written as (
    insert into private.feed (scope, seq, kind, pk, tag)
    select n.scope, n.seq, n.kind, n.pk, ('x' || right(replace(gen_random_uuid()::text, '-', ''), 14)
      || left(gen_random_uuid()::text, 2))::bit(64)::bigint from numbered n)
  insert into private.feed_rows (scope, kind, pk, seq, gone, bucket)
  select n.scope, n.kind, n.pk, n.seq, n.gone, get_byte(sha256(uuid_send(n.pk)), 0) from numbered n
  on conflict (scope, kind, pk) do update set seq = excluded.seq, gone = excluded.gone;
  delete from private.feed_tx t where t.xid = new.xid;
  return null;
end $$;
create constraint trigger feed_seal after insert on private.feed_tx
  deferrable initially deferred for each row execute function private.feed_seal();

-- Sees to it that this transaction is sealed.
create function private.feed_open() returns void
language sql volatile security definer set search_path = '' as $$
  insert into private.feed_tx values (pg_current_xact_id()) on conflict do nothing $$;

create function private.row_digest(p_kind text, p_pk uuid, p_seq bigint) returns bytea
language sql immutable parallel safe set search_path = '' as $$
  select sha256(convert_to(p_kind, 'UTF8') || '\x00'::bytea || uuid_send(p_pk) || int8send(p_seq)) $$;

-- What hubs are told of -----------------------------------------------------------------------------------------------

-- Not when a song was played: that is no change of it.
create function private.feed_songs() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'UPDATE' then
    insert into private.feed_pending (xid, scope, kind, pk, gone)
    select pg_current_xact_id(), 'catalogue:' || n.organisation_id, 'song', n.id, false
    from new_rows n join old_rows o on o.id = n.id
    where (n.status, n.content_sha256, n.content_bytes, n.content_type, n.title, n.artist, n.album, n.isrc, n.label,
           n.explicit, n.type, n.duration_ms, n.bpm, n.key, n.loudness_lufs, n.true_peak_dbtp, n.cue_in_ms, n.cue_out_ms,
           n.embedding::text, n.embedding_model_id, n.stored)
      is distinct from
          (o.status, o.content_sha256, o.content_bytes, o.content_type, o.title, o.artist, o.album, o.isrc, o.label,
           o.explicit, o.type, o.duration_ms, o.bpm, o.key, o.loudness_lufs, o.true_peak_dbtp, o.cue_in_ms, o.cue_out_ms,
           o.embedding::text, o.embedding_model_id, o.stored)
    order by n.id;
  else
    insert into private.feed_pending (xid, scope, kind, pk, gone)
    select pg_current_xact_id(), 'catalogue:' || r.organisation_id, 'song', r.id, tg_op = 'DELETE' from the_rows r order by r.id;
  end if;
  if found then
    perform private.feed_open();
  end if;
  return null;
end $$;

create function private.feed_venues() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'UPDATE' then
    insert into private.feed_pending (xid, scope, kind, pk, gone)
    select pg_current_xact_id(), 'venue:' || n.id, 'venue', n.id, false from new_rows n join old_rows o on o.id = n.id
    where (n.name, n.timezone, n.penalty_hours, n.crossfade_ms, n.settings)
      is distinct from (o.name, o.timezone, o.penalty_hours, o.crossfade_ms, o.settings) order by n.id;
  else
    insert into private.feed_pending (xid, scope, kind, pk, gone)
    select pg_current_xact_id(), 'venue:' || r.id, 'venue', r.id, tg_op = 'DELETE' from the_rows r order by r.id;
  end if;
  if found then
    perform private.feed_open();
  end if;
  return null;
end $$;

-- A player says its zone by name, so it has changed with it.
create function private.feed_zones() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'UPDATE' then
    insert into private.feed_pending (xid, scope, kind, pk, gone)
    select pg_current_xact_id(), 'venue:' || n.venue_id, 'zone', n.id, false from new_rows n join old_rows o on o.id = n.id
    where (n.name, n.settings, n.archived_at is null) is distinct from (o.name, o.settings, o.archived_at is null)
    union all
    select pg_current_xact_id(), r.scope, r.kind, r.pk, false
    from new_rows n join old_rows o on o.id = n.id and o.name <> n.name
    join public.players p on p.venue_id = n.venue_id and p.zone_id = n.id
    join private.feed_rows r on r.scope = 'venue:' || n.venue_id and r.kind = 'player' and r.pk = p.id;
  else
    insert into private.feed_pending (xid, scope, kind, pk, gone)
    select pg_current_xact_id(), 'venue:' || r.venue_id, 'zone', r.id, tg_op = 'DELETE' from the_rows r order by r.id;
  end if;
  if found then
    perform private.feed_open();
  end if;
  return null;
end $$;

create function private.feed_venue_songs() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'UPDATE' then
    insert into private.feed_pending (xid, scope, kind, pk, gone)
    select pg_current_xact_id(), 'venue:' || n.venue_id, 'venue_song', n.song_id, false
    from new_rows n join old_rows o on o.venue_id = n.venue_id and o.song_id = n.song_id
    where (n.enabled and n.removed_at is null) is distinct from (o.enabled and o.removed_at is null)
    order by n.venue_id, n.song_id;
  else
    insert into private.feed_pending (xid, scope, kind, pk, gone)
    select pg_current_xact_id(), 'venue:' || r.venue_id, 'venue_song', r.song_id, tg_op = 'DELETE'
    from the_rows r order by r.venue_id, r.song_id;
  end if;
  if found then
    perform private.feed_open();
  end if;
  return null;
end $$;

-- Only what a manager has changed: what a hub tells of its own players must not come back to it later as news.
create function private.feed_players() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if coalesce(current_setting('roomtone.hub_id', true), '') <> '' then
    return null;
  end if;
  if tg_op = 'UPDATE' then
    insert into private.feed_pending (xid, scope, kind, pk, gone)
    select pg_current_xact_id(), 'venue:' || n.venue_id, 'player', n.id, false from new_rows n join old_rows o on o.id = n.id
    where (n.name, n.zone_id, n.revoked_at is null) is distinct from (o.name, o.zone_id, o.revoked_at is null) order by n.id;
  else
    insert into private.feed_pending (xid, scope, kind, pk, gone)
    select pg_current_xact_id(), f.scope, f.kind, f.pk, true
    from the_rows r join private.feed_rows f on f.scope = 'venue:' || r.venue_id and f.kind = 'player' and f.pk = r.id;
  end if;
  if found then
    perform private.feed_open();
  end if;
  return null;
end $$;

do $$
declare t text;
begin
  foreach t in array array['songs', 'venues', 'zones', 'venue_songs', 'players'] loop
    if t <> 'players' then
      execute format('create trigger %1$s_feed_add after insert on public.%1$I referencing new table as the_rows
        for each statement execute function private.feed_%1$s()', t);
    end if;
    execute format('create trigger %1$s_feed_edit after update on public.%1$I referencing new table as new_rows old table as old_rows
      for each statement execute function private.feed_%1$s()', t);
    execute format('create trigger %1$s_feed_remove after delete on public.%1$I referencing old table as the_rows
      for each statement execute function private.feed_%1$s()', t);
  end loop;
end $$;

-- People with an account ----------------------------------------------------------------------------------------------

-- Who has signed in where, by a ticket that was verified here. Somebody who was not there for long is not told of any more.
create table private.venue_people (
  venue_id uuid not null references public.venues (id) on delete cascade,
  user_id uuid not null references public.profiles (id) on delete cascade,
  last_seen_at timestamptz not null,
  is_here boolean not null default true,
  primary key (user_id, venue_id));
create index venue_people_venue_idx on private.venue_people (venue_id);

-- The vote of somebody for a song that counts: the one of the greatest (hlc, vote id). `unit` is what it has put into the
-- fold; null where the song has no direction.
create table private.effective_votes (
  user_id uuid not null references public.profiles (id) on delete cascade,
  song_id uuid not null,
  vote_id uuid not null, hlc bigint not null,
  vote_value int not null check (vote_value in (-1, 1)),
  unit bigint[] check (cardinality(unit) = 5),
  primary key (user_id, song_id));
create index effective_votes_open_idx on private.effective_votes (song_id) where unit is null;

create function private.feed_tastes() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into private.feed_pending (xid, scope, kind, pk, gone)
  select pg_current_xact_id(), 'venue:' || v.venue_id, 'taste', n.user_id, false
  from new_rows n join private.venue_people v on v.user_id = n.user_id and v.is_here
  order by v.venue_id, n.user_id;
  if found then
    perform private.feed_open();
  end if;
  return null;
end $$;
create trigger preferences_feed_add after insert on public.preferences referencing new table as new_rows
  for each statement execute function private.feed_tastes();
create trigger preferences_feed_edit after update on public.preferences referencing new table as new_rows
  for each statement execute function private.feed_tastes();

create function private.feed_people() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'UPDATE' then
    insert into private.feed_pending (xid, scope, kind, pk, gone)
    select pg_current_xact_id(), 'venue:' || n.venue_id, 'taste', n.user_id, not n.is_here
    from new_rows n join old_rows o on o.venue_id = n.venue_id and o.user_id = n.user_id
    where n.is_here <> o.is_here order by n.venue_id, n.user_id;
  else
    insert into private.feed_pending (xid, scope, kind, pk, gone)
    select pg_current_xact_id(), 'venue:' || r.venue_id, 'taste', r.user_id, tg_op = 'DELETE'
    from the_rows r order by r.venue_id, r.user_id;
  end if;
  if found then
    perform private.feed_open();
  end if;
  return null;
end $$;
create trigger venue_people_feed_add after insert on private.venue_people referencing new table as the_rows
  for each statement execute function private.feed_people();
create trigger venue_people_feed_edit after update on private.venue_people referencing new table as new_rows old table as old_rows
  for each statement execute function private.feed_people();
create trigger venue_people_feed_remove after delete on private.venue_people referencing old table as the_rows
  for each statement execute function private.feed_people();

-- Of some ids those that are somebody's with an account, and whether they have ever signed in where the hub stands.
create function private.hub_people(p_ids uuid[]) returns table (id uuid, was_here boolean)
language sql stable security definer set search_path = '' as $$
  select p.id, v.user_id is not null from public.profiles p
  left join private.venue_people v on v.user_id = p.id and v.venue_id = (select private.hub_venue())
  where p.id = any (p_ids) and (select private.hub_venue()) is not null $$;

-- Names of hubs -------------------------------------------------------------------------------------------------------

-- A song that a hub has made, where the catalogue had its bytes already.
create table private.song_aliases (
  organisation_id uuid not null references public.organisations (id) on delete cascade,
  hub_song uuid not null,
  song_id uuid not null references public.songs (id) on delete cascade,
  primary key (organisation_id, hub_song));
create index song_aliases_song_idx on private.song_aliases (song_id);

-- A hub's zone is the venue's zone of that name.
create table private.zone_aliases (
  hub_id uuid not null references public.hubs (id) on delete cascade,
  hub_zone uuid not null,
  zone_id uuid not null references public.zones (id) on delete cascade,
  primary key (hub_id, hub_zone));
create index zone_aliases_zone_idx on private.zone_aliases (zone_id);

-- Takes songs that a hub has made into its catalogue, or finds them there by their bytes. They are drafts until the bytes
-- have come and were looked at.
create function private.hub_adds_songs(p_songs jsonb) returns void
language plpgsql security definer set search_path = '' as $$
declare
  org uuid := private.hub_organisation();
  here uuid := private.hub_venue();
  s jsonb;
  f jsonb;
  canonical uuid;
begin
  if here is null then
    raise insufficient_privilege using message = 'this hub was told to go';
  end if;
  for s in select e from jsonb_array_elements(p_songs) e loop
    f := s -> 'facts';
    canonical := null;
    select x.id into canonical from public.songs x
    where x.organisation_id = org and x.content_sha256 = decode(f ->> 'sha256', 'hex') and x.status <> 'withdrawn';
    if canonical is null then
      insert into public.songs (id, organisation_id, title, artist, album, isrc, label, explicit, file_url, object_key,
        content_sha256, content_bytes, content_type, bpm, duration, duration_ms, key, type, loudness_lufs, true_peak_dbtp,
        cue_in_ms, cue_out_ms, embedding, embedding_model_id, status, stored, created_at)
      values ((s ->> 'id')::uuid, org, coalesce(nullif(left(f ->> 'title', 300), ''), '?'), left(f ->> 'artist', 300),
        left(f ->> 'album', 300), substring(f ->> 'isrc' from '^[A-Z]{2}[A-Z0-9]{3}[0-9]{7}$'), left(f ->> 'label', 300),
        f ->> 'explicit', 's3://hub/org/' || org || '/' || (f ->> 'sha256'), 'org/' || org || '/' || (f ->> 'sha256'),
        decode(f ->> 'sha256', 'hex'), (f ->> 'bytes')::bigint, f ->> 'content_type',
        case when (f ->> 'bpm')::numeric between 1 and 400 then round((f ->> 'bpm')::numeric)::int end,
        greatest(1, round((f ->> 'duration_ms')::numeric / 1000))::int, (f ->> 'duration_ms')::int, left(f ->> 'key', 8), f ->> 'kind',
        (f ->> 'loudness_lufs')::real, (f ->> 'true_peak_dbtp')::real, (f ->> 'cue_in_ms')::int,
        nullif((f ->> 'cue_out_ms')::int, 0), nullif(f -> 'embedding', 'null')::text::extensions.vector(5),
        case when nullif(f -> 'embedding', 'null') is not null then (f ->> 'embedding_version')::smallint end, 'draft', false,
        to_timestamp((s ->> 'created_at')::bigint / 1000.0))
      on conflict do nothing;
      select x.id into canonical from public.songs x
      where x.organisation_id = org
        and (x.content_sha256 = decode(f ->> 'sha256', 'hex') and x.status <> 'withdrawn' or x.id = (s ->> 'id')::uuid)
      order by x.status = 'withdrawn' limit 1;
    end if;
    if canonical is null then
      raise insufficient_privilege using message = 'a song of this id is somebody else''s';
    end if;
    if canonical <> (s ->> 'id')::uuid then
      insert into private.song_aliases (organisation_id, hub_song, song_id) values (org, (s ->> 'id')::uuid, canonical)
      on conflict (organisation_id, hub_song) do update set song_id = excluded.song_id;
    end if;
    insert into public.venue_songs (venue_id, song_id) values (here, canonical)
    on conflict (venue_id, song_id) do update set enabled = true, removed_at = null
      where not venue_songs.enabled or venue_songs.removed_at is not null;
  end loop;
end $$;

-- A hub takes a song off its own venue's shelf, and off nobody else's.
create function private.hub_withdraws_songs(p_songs uuid[]) returns void
language plpgsql security definer set search_path = '' as $$
begin
  update public.venue_songs v set enabled = false
  where v.venue_id = private.hub_venue() and v.song_id = any (p_songs) and v.enabled;
end $$;

-- When hubs' clocks were compared with ours. One each ten minutes of a run is enough to find the nearest.
create table private.clock_samples (
  hub_id uuid not null references public.hubs (id) on delete cascade,
  boot uuid not null, slot bigint not null,
  mono_ms bigint not null, cloud_at timestamptz not null,
  primary key (hub_id, boot, slot));

-- What a person should hear of a hub's standing, and which other run asked while one had the lease.
alter table public.sync_state
  add column news text check (news in ('duplicate', 'moved', 'rewound', 'forked', 'cloud_restored', 'missing')),
  add column news_at timestamptz,
  add column rival uuid, add column rival_at timestamptz;
grant select (news, news_at, rival_at) on public.sync_state to authenticated;

-- What a fact that is kept apart is dated by, when it is tried again.
alter table public.sync_quarantine
  add column hlc bigint not null default 0, add column boot uuid not null default '00000000-0000-0000-0000-000000000000',
  add column mono_ms bigint not null default 0, add column tried_at timestamptz;
create index sync_quarantine_parked_idx on public.sync_quarantine (hub_id, hub_epoch, seq) where outcome = 'parked';

-- Who may do what -----------------------------------------------------------------------------------------------------

create function private.hub_scopes() returns setof text
language sql stable security definer rows 2 set search_path = '' as $$
  select 'venue:' || private.hub_venue() union all select 'catalogue:' || private.hub_organisation() $$;

do $$
declare t text;
declare f regprocedure;
begin
  foreach t in array array['feed_heads', 'feed', 'feed_rows', 'feed_pending', 'feed_tx', 'venue_people', 'effective_votes',
                           'song_aliases', 'zone_aliases', 'clock_samples'] loop
    execute format('revoke all on private.%I from public, anon, authenticated, service_role', t);
    execute format('alter table private.%I enable row level security', t);
    execute format('create policy %1$s_service on private.%1$I for select to roomtone_cloud using (true)', t);
    execute format('grant select on private.%I to roomtone_cloud', t);
  end loop;
  foreach t in array array['feed_heads', 'feed', 'feed_rows'] loop
    execute format('create policy %1$s_hub on private.%1$I for select to roomtone_hub using (scope = any (array(select private.hub_scopes())))', t);
    execute format('grant select on private.%I to roomtone_hub', t);
  end loop;
  foreach f in array array['private.feed_seal()', 'private.feed_open()', 'private.row_digest(text, uuid, bigint)',
    'private.feed_songs()', 'private.feed_venues()', 'private.feed_zones()', 'private.feed_venue_songs()', 'private.feed_players()',
    'private.feed_tastes()', 'private.feed_people()', 'private.hub_people(uuid[])', 'private.hub_adds_songs(jsonb)',
    'private.hub_withdraws_songs(uuid[])', 'private.hub_scopes()']::regprocedure[]
  loop
    execute format('revoke execute on function %s from public, anon, authenticated', f);
  end loop;
end $$;
grant execute on function private.row_digest(text, uuid, bigint), private.hub_people(uuid[]), private.hub_adds_songs(jsonb),
  private.hub_withdraws_songs(uuid[]), private.hub_scopes() to roomtone_hub;
grant execute on function private.row_digest(text, uuid, bigint) to roomtone_cloud;

-- A hub speaks of who has signed in where it stands, and of nobody else.
grant select, insert, update on private.venue_people, private.effective_votes to roomtone_hub;
create policy venue_people_hub_read on private.venue_people for select to roomtone_hub using (venue_id = (select private.hub_venue()));
create policy venue_people_hub_add on private.venue_people for insert to roomtone_hub with check (venue_id = (select private.hub_venue()));
create policy venue_people_hub_edit on private.venue_people for update to roomtone_hub
  using (venue_id = (select private.hub_venue())) with check (venue_id = (select private.hub_venue()));
create policy effective_votes_hub_read on private.effective_votes for select to roomtone_hub
  using (user_id = any (array(select v.user_id from private.venue_people v where v.venue_id = (select private.hub_venue()))));
create policy effective_votes_hub_add on private.effective_votes for insert to roomtone_hub
  with check (user_id = any (array(select v.user_id from private.venue_people v where v.venue_id = (select private.hub_venue()))));
create policy effective_votes_hub_edit on private.effective_votes for update to roomtone_hub
  using (user_id = any (array(select v.user_id from private.venue_people v where v.venue_id = (select private.hub_venue()))))
  with check (user_id = any (array(select v.user_id from private.venue_people v where v.venue_id = (select private.hub_venue()))));

-- The tastes of those people, too; guests' are folded nowhere but at their hub.
drop policy preferences_hub_read on public.preferences;
drop policy preferences_hub_add on public.preferences;
drop policy preferences_hub_edit on public.preferences;
create policy preferences_hub_read on public.preferences for select to roomtone_hub
  using (user_id = any (array(select v.user_id from private.venue_people v where v.venue_id = (select private.hub_venue()))));
create policy preferences_hub_add on public.preferences for insert to roomtone_hub
  with check (user_id = any (array(select v.user_id from private.venue_people v where v.venue_id = (select private.hub_venue()))));
create policy preferences_hub_edit on public.preferences for update to roomtone_hub
  using (user_id = any (array(select v.user_id from private.venue_people v where v.venue_id = (select private.hub_venue()))))
  with check (user_id = any (array(select v.user_id from private.venue_people v where v.venue_id = (select private.hub_venue()))));

grant select on private.song_aliases to roomtone_hub;
create policy song_aliases_hub on private.song_aliases for select to roomtone_hub
  using (organisation_id = (select private.hub_organisation()));
grant select, insert, update on private.zone_aliases to roomtone_hub;
create policy zone_aliases_hub_read on private.zone_aliases for select to roomtone_hub using (hub_id = (select private.hub_id()));
create policy zone_aliases_hub_add on private.zone_aliases for insert to roomtone_hub with check (hub_id = (select private.hub_id()));
create policy zone_aliases_hub_edit on private.zone_aliases for update to roomtone_hub
  using (hub_id = (select private.hub_id())) with check (hub_id = (select private.hub_id()));
grant select, insert on private.clock_samples to roomtone_hub;
create policy clock_samples_hub_read on private.clock_samples for select to roomtone_hub using (hub_id = (select private.hub_id()));
create policy clock_samples_hub_add on private.clock_samples for insert to roomtone_hub with check (hub_id = (select private.hub_id()));

-- The link of the chain at a number that was pushed up to.
grant update (link) on private.sync_received to roomtone_hub;
create policy sync_received_edit on private.sync_received for update to roomtone_hub
  using (hub_id = (select private.hub_id())) with check (hub_id = (select private.hub_id()));

-- What was parked is tried again in the hub's own name.
grant update (outcome, error, tried_at), delete on public.sync_quarantine to roomtone_hub;
create policy sync_quarantine_hub_edit on public.sync_quarantine for update to roomtone_hub
  using (hub_id = (select private.hub_id())) with check (hub_id = (select private.hub_id()) and venue_id = (select private.hub_venue()));
create policy sync_quarantine_hub_remove on public.sync_quarantine for delete to roomtone_hub using (hub_id = (select private.hub_id()));

-- Votes and presences of people with an account; the clock that their votes are ordered by, mended.
alter table public.votes add column hlc bigint;
grant update (user_id, guest_id) on public.votes, public.sessions to roomtone_hub;
grant update (claimed_by) on public.guests to roomtone_hub;
create policy guests_hub_edit on public.guests for update to roomtone_hub using (venue_id = (select private.hub_venue()))
  with check (venue_id = (select private.hub_venue()) and
    claimed_by = any (array(select v.user_id from private.venue_people v where v.venue_id = (select private.hub_venue()))));
drop policy guests_hub_add on public.guests;
create policy guests_hub_add on public.guests for insert to roomtone_hub
  with check (venue_id = (select private.hub_venue()) and (claimed_by is null or
    claimed_by = any (array(select v.user_id from private.venue_people v where v.venue_id = (select private.hub_venue())))));
create policy votes_hub_edit on public.votes for update to roomtone_hub
  using (venue_id = (select private.hub_venue())) with check (venue_id = (select private.hub_venue()));

-- Upkeep: below the floor nobody is served, so nothing of it is needed. The newest of each scope stays: its tag is asked for.
create function private.trim_feed(p_before timestamptz) returns bigint
language plpgsql volatile security definer set search_path = '' as $$
declare gone bigint;
begin
  -- Only where something is to go: whoever changes anything there waits meanwhile.
  perform from private.feed_heads h
  where exists (select from private.feed f where f.scope = h.scope and f.seq > h.floor and f.at < p_before)
  order by h.scope for update;
  update private.feed_heads h set floor = t.seq
  from (select f.scope, max(f.seq) as seq from private.feed f where f.at < p_before group by f.scope) t
  where h.scope = t.scope and h.floor < t.seq;
  delete from private.feed f using private.feed_heads h where h.scope = f.scope and f.seq < h.floor;
  get diagnostics gone = row_count;
  delete from private.feed_rows r using private.feed_heads h where h.scope = r.scope and r.gone and r.seq < h.floor;
  update private.venue_people set is_here = false where is_here and last_seen_at < now() - interval '30 days';
  delete from private.clock_samples where cloud_at < now() - interval '90 days';
  return gone;
end $$;
revoke execute on function private.trim_feed(timestamptz) from public, anon, authenticated;
grant execute on function private.trim_feed(timestamptz) to roomtone_cloud;

-- What was there before the feed was.
insert into private.feed_pending (xid, scope, kind, pk, gone)
select pg_current_xact_id(), x.scope, x.kind, x.pk, false from (
  select 'catalogue:' || s.organisation_id as scope, 'song' as kind, s.id as pk from public.songs s
  union all select 'venue:' || v.id, 'venue', v.id from public.venues v
  union all select 'venue:' || z.venue_id, 'zone', z.id from public.zones z
  union all select 'venue:' || w.venue_id, 'venue_song', w.song_id from public.venue_songs w) x;
select private.feed_open();
