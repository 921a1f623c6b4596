-- What policies ask, what keeps columns right, what recommends, and what keeps partitions.
--
-- A function here that must see more than its caller (`security definer`) stands in `private`, has an empty search
-- path and checks who calls; who may execute which stands in the next migration.

set lock_timeout = '5s';

-- Who asks ------------------------------------------------------------------------------------------------------------

create function private.is_admin() returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (select from public.roles where user_id = (select auth.uid()) and role = 'admin') $$;

-- The venues where the caller is at least that much. An administrator of everything is an owner everywhere: as part of
-- the list and not as an `or` in each policy, because an `or` keeps Postgres from using the index.
create function private.my_venues(min_role text default 'viewer') returns setof uuid
language sql stable security definer rows 10 set search_path = '' as $$
  select venue_id from public.venue_members
  where user_id = (select auth.uid())
    and role = any (case min_role when 'owner' then array['owner'] when 'manager' then array['owner', 'manager']
                    when 'staff' then array['owner', 'manager', 'staff']
                    when 'viewer' then array['owner', 'manager', 'staff', 'viewer'] end)
  union
  select id from public.venues where (select private.is_admin()) $$;

-- The organisations of those venues: whose songs the caller may see, or change.
create function private.my_organisations(min_role text default 'viewer') returns setof uuid
language sql stable security definer rows 5 set search_path = '' as $$
  select distinct organisation_id from public.venues where id = any (array(select private.my_venues(min_role)))
  union
  select id from public.organisations where (select private.is_admin()) $$;

-- Whether a song is of a catalogue in which the caller works. Without this, whoever knows a song's id could put it on
-- the list of their own venue, and so read what belongs to somebody else.
create function private.may_use_song(p_song uuid) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (select from public.songs
    where id = p_song and organisation_id = any (array(select private.my_organisations('staff')))) $$;

-- Everybody who works in a venue where the caller does: their names stand beside what they did.
create function private.my_people() returns setof uuid
language sql stable security definer rows 20 set search_path = '' as $$
  select auth.uid()
  union
  select user_id from public.venue_members where venue_id = any (array(select private.my_venues())) $$;

-- The hub that pushes or pulls, and its venue, as its credential says; set for the transaction by the cloud and by nobody
-- else. The two must belong together, and a hub that was revoked has no venue.
create function private.hub_id() returns uuid language sql stable set search_path = '' as $$
  select nullif(current_setting('roomtone.hub_id', true), '')::uuid $$;
create function private.hub_venue() returns uuid
language sql stable security definer set search_path = '' as $$
  select venue_id from public.hubs
  where id = (select private.hub_id()) and revoked_at is null
    and venue_id = (select nullif(current_setting('roomtone.venue_id', true), '')::uuid) $$;
create function private.hub_organisation() returns uuid
language sql stable security definer set search_path = '' as $$
  select organisation_id from public.venues where id = (select private.hub_venue()) $$;

-- People --------------------------------------------------------------------------------------------------------------

-- Runs inside the sign-up: whatever goes wrong here must not keep anybody from signing up. A profile that is missing is
-- made at the first request, by ensure_profile.
create function private.handle_new_user() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.profiles (id, email, display_name)
  values (new.id, new.email, left(new.raw_user_meta_data ->> 'display_name', 80))
  on conflict (id) do update set email = excluded.email;
  return new;
exception when others then
  raise warning 'roomtone: no profile for % yet: %', new.id, sqlerrm;
  return new;
end $$;
create trigger roomtone_on_auth_user_created after insert on auth.users
  for each row execute function private.handle_new_user();
create trigger roomtone_on_auth_user_email after update of email on auth.users
  for each row when (old.email is distinct from new.email) execute function private.handle_new_user();

create function private.ensure_profile() returns void
language sql volatile security definer set search_path = '' as $$
  insert into public.profiles (id, email, display_name)
  select id, email, left(raw_user_meta_data ->> 'display_name', 80) from auth.users where id = (select auth.uid())
  on conflict (id) do nothing $$;

-- The first administrator is made by whoever has the database's address: `roomtone-cloud admin grant EMAIL`. Null where
-- nobody has signed up with that address and shown that it is theirs: anybody can sign up with somebody else's.
create function private.grant_admin(p_email text) returns uuid
language plpgsql volatile security definer set search_path = '' as $$
declare v_user uuid;
begin
  if (select count(*) from auth.users
      where lower(email) = lower(p_email) and not is_anonymous and email_confirmed_at is not null) > 1 then
    raise exception using errcode = 'RT409', message = 'more than one account has this address; nothing was granted';
  end if;
  insert into public.profiles (id, email)
  select id, email from auth.users
  where lower(email) = lower(p_email) and not is_anonymous and email_confirmed_at is not null
  on conflict (id) do update set email = excluded.email returning id into v_user;
  if v_user is not null then
    insert into public.roles (user_id, role) values (v_user, 'admin') on conflict do nothing;
    if found then
      insert into public.audit_log (action, target) values ('admin.granted', 'User:' || v_user);
    end if;
  end if;
  return v_user;
end $$;

-- Columns that keep themselves ----------------------------------------------------------------------------------------

create trigger organisations_stamp before update on public.organisations for each row execute function private.stamp();
create trigger venues_stamp before update on public.venues for each row execute function private.stamp();
create trigger zones_stamp before update on public.zones for each row execute function private.stamp();
create trigger hubs_stamp before update of name, public_key, next_public_key, enrolment_hash, enrolled_at, revoked_at
  on public.hubs for each row execute function private.stamp();
create trigger sync_state_stamp before update on public.sync_state for each row execute function private.stamp();
-- Not when it was played: that is no change of the song.
create trigger songs_stamp before update of title, artist, album, isrc, label, explicit, file_url, object_key, bpm,
  duration, duration_ms, key, type, loudness_lufs, true_peak_dbtp, cue_in_ms, cue_out_ms, embedding,
  embedding_model_id, own_values, status, failure on public.songs for each row execute function private.stamp();
create trigger venue_songs_stamp before update of enabled, removed_at on public.venue_songs
  for each row execute function private.stamp();
create trigger song_uploads_stamp before update on public.song_uploads for each row execute function private.stamp();
create trigger players_stamp before update of name, zone_id, hub_id, token, manager_id, revoked_at on public.players
  for each row execute function private.stamp();
create trigger preferences_stamp before update on public.preferences for each row execute function private.stamp();
create trigger history_exports_stamp before update on public.history_exports
  for each row execute function private.stamp();

-- A zone of time that Postgres does not know would stop every report of the venue.
create function private.check_time_zone() returns trigger language plpgsql set search_path = '' as $$
begin
  perform now() at time zone new.timezone;
  return new;
exception when invalid_parameter_value then
  raise check_violation using message = format('%s is no time zone', new.timezone), column = 'timezone';
end $$;
create trigger venues_time_zone before insert or update of timezone on public.venues
  for each row execute function private.check_time_zone();

-- A venue plays from its own organisation's catalogue, whoever writes the row. A song that is not there and one of
-- somebody else sound alike.
create function private.check_catalogue() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if not exists (select from public.songs s join public.venues v on v.organisation_id = s.organisation_id
                 where s.id = new.song_id and v.id = new.venue_id) then
    raise insufficient_privilege using message = format('song %s is not in the catalogue of this venue', new.song_id);
  end if;
  return new;
end $$;
create trigger venue_songs_catalogue before insert or update of venue_id, song_id on public.venue_songs
  for each row execute function private.check_catalogue();

-- When a venue last played a song, and when anybody did. A hub speaks for its own catalogue only, and not of what is yet
-- to come: a clock that runs ahead would have a song rest for years. Once per statement; plays that come late or twice change
-- nothing, because the later one counts. Rows are locked in the order of their keys, so that two hubs that push at the
-- same time wait for each other instead of for ever.
create function private.after_play() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  with played as materialized (
    select v.venue_id, v.song_id, n.at
    from public.venue_songs v
    join (select venue_id, song_id, least(max(played_at), now()) as at from new_rows group by 1, 2) n using (venue_id, song_id)
    where v.last_played_at is null or v.last_played_at < n.at
    order by v.venue_id, v.song_id for no key update of v)
  update public.venue_songs v set last_played_at = p.at from played p
  where v.venue_id = p.venue_id and v.song_id = p.song_id and (v.last_played_at is null or v.last_played_at < p.at);
  -- The older plan's column is of the whole world. A song that is popular would be written all the time, so it may be
  -- five minutes behind.
  with played as materialized (
    select s.id, n.at from public.songs s
    join (select r.song_id, w.organisation_id, least(max(r.played_at), now()) as at
          from new_rows r join public.venues w on w.id = r.venue_id group by 1, 2) n
      on n.song_id = s.id and n.organisation_id = s.organisation_id
    where s.last_played is null or s.last_played < n.at - interval '5 minutes'
    order by s.id for no key update of s)
  update public.songs s set last_played = p.at from played p
  where s.id = p.id and (s.last_played is null or s.last_played < p.at);
  return null;
end $$;
create trigger songs_playing_after after insert on public.songs_playing
  referencing new table as new_rows for each statement execute function private.after_play();

-- What to play next ---------------------------------------------------------------------------------------------------

-- The embeddings that tastes, vibes and rankings are in at present (EmbeddingVersion::CURRENT of schema). What another
-- model said is never compared with them: such a song counts as one without a direction.
create function private.current_model() returns smallint language sql immutable parallel safe set search_path = '' as $$
  select 1::smallint $$;

-- The rule `rank_plan`: what the older plan's formula meant, made total. Rested songs by their distance, those without
-- a direction behind them, then resting ones by the oldest play: else a catalogue shorter than the window would repeat
-- its nearest song for ever. A query without a direction (null, or next to zero) is as far from every song.
create function private.rank_plan(p_vec extensions.vector(5), p_window interval, p_limit int)
returns setof public.songs language sql stable parallel safe security invoker set search_path = '' as $$
  select s.* from public.songs s
  cross join lateral (
    select case when s.embedding_model_id = private.current_model() then s.embedding end as embedding,
      coalesce(s.last_played > now() - p_window and p_window > interval '0', false) as resting) f
  where s.status = 'ready'
  order by case when f.resting then 2 when f.embedding is null then 1 else 0 end,
    case when f.resting then s.last_played end,
    coalesce(nullif(f.embedding operator(extensions.<=>)
      (select case when extensions.vector_norm(p_vec) > 1e-6 then p_vec end), 'NaN'), 1.0),
    s.id
  limit p_limit $$;

-- The older plan's function, by its name and arguments. At most 100 rows; a limit or penalty that is null is 1 or 4.
create function public.recommend_with_penalty(p_vec extensions.vector(5), p_limit int, p_penalty_hours int default 4)
returns setof public.songs language sql stable parallel safe security invoker set search_path = '' as $$
  select * from private.rank_plan(p_vec, make_interval(hours => greatest(coalesce(p_penalty_hours, 4), 0)),
    least(greatest(coalesce(p_limit, 1), 0), 100)) $$;

-- For how long a song rests in a venue: its penalty, but never more than 60 % of what it has to play.
create function private.rest_window(p_venue_id uuid, p_penalty_hours int) returns interval
language sql stable parallel safe security invoker set search_path = '' as $$
  select least(
    make_interval(hours => greatest(coalesce(p_penalty_hours, (select penalty_hours from public.venues where id = p_venue_id), 4), 0)),
    coalesce(sum(s.duration_ms), 0) * 0.6 * interval '1 millisecond')
  from public.venue_songs v join public.songs s on s.id = v.song_id
  where v.venue_id = p_venue_id and v.enabled and v.removed_at is null and s.status = 'ready' $$;

-- The rule `rank`: what Roomtone plays by. The score of a song is the dot of the vibe and the song's direction, less
-- exp(-age / window). `greatest(.., -700)`: beyond that exp would fail instead of being zero.
create function private.rank(p_venue_id uuid, p_vec extensions.vector(5), p_window interval, p_limit int)
returns table (song_id uuid, standing text, similarity float8, penalty float8, score float8, last_played_at timestamptz)
language sql stable parallel safe security invoker set search_path = '' as $$
  with vibe as materialized (
    select p_vec as v, coalesce(extensions.vector_norm(p_vec), 0) as length,
      extract(epoch from p_window)::float8 as seconds),
  shelf as (
    select s.id, vs.last_played_at,
      case when s.embedding_model_id = private.current_model() then s.embedding end as embedding,
      -- What is yet to come counts as just now. (`greatest` would make 0 of null.)
      case when vs.last_played_at > now() then 0 else extract(epoch from now() - vs.last_played_at)::float8 end as age
    from public.venue_songs vs join public.songs s on s.id = vs.song_id
    where vs.venue_id = p_venue_id and vs.enabled and vs.removed_at is null and s.status = 'ready'),
  scored as (
    select h.id, h.last_played_at, h.embedding is null as unknown, coalesce(h.age < v.seconds, false) as resting,
      coalesce(v.length * (1 - nullif(h.embedding operator(extensions.<=>) v.v, 'NaN')), 0) as similarity,
      case when h.age is null or v.seconds <= 0 then 0 else exp(greatest(-h.age / v.seconds, -700)) end as penalty
    from shelf h cross join vibe v)
  select id, case when resting then 'resting' when unknown then 'unknown' else 'rested' end,
    similarity, penalty, similarity - penalty, last_played_at
  from scored
  order by case when resting then 2 when unknown then 1 else 0 end, case when resting then last_played_at end,
    similarity - penalty desc, id
  limit p_limit $$;

-- What a venue would hear next, best first and at most 1000. A penalty that is null is the venue's own.
create function public.recommend_for_venue(p_venue_id uuid, p_vec extensions.vector(5), p_limit int default 1, p_penalty_hours int default null)
returns table (song_id uuid, standing text, similarity float8, penalty float8, score float8, last_played_at timestamptz)
language sql stable parallel safe security invoker set search_path = '' as $$
  select * from private.rank(p_venue_id, p_vec, private.rest_window(p_venue_id, p_penalty_hours),
    least(greatest(coalesce(p_limit, 1), 0), 1000)) $$;

-- Partitions ----------------------------------------------------------------------------------------------------------

-- Whatever no week is there for: a hub with a wrong clock, or upkeep that has not run. Rows in them are an alarm.
create table partitions.sessions_default partition of public.sessions default;
create table partitions.votes_default partition of public.votes default;
create table partitions.songs_playing_default partition of public.songs_playing default;

-- Weeks of a fact's table that begin in [p_from, p_to), counted from a Monday. Rows of theirs that had to go to the
-- default partition move over. Two callers at once: the second waits and finds them made.
create function private.ensure_partitions(p_table text, p_from date, p_to date, p_days int default 7) returns int
language plpgsql volatile security definer set search_path = '' set lock_timeout = '3s' as $$
declare
  v_week date := date '2024-01-01' + ((p_from - date '2024-01-01') / p_days) * p_days;
  v_leaf text; v_from uuid; v_to uuid; v_made int := 0;
begin
  if p_table not in ('sessions', 'votes', 'songs_playing') then raise exception 'there are no partitions of %', p_table; end if;
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('roomtone.partitions.' || p_table));
  while v_week < p_to loop
    v_leaf := format('%s_%s', p_table, to_char(v_week, 'YYYYMMDD'));
    if to_regclass(format('partitions.%I', v_leaf)) is null then
      v_from := private.uuid7_floor(v_week::timestamp at time zone 'UTC');
      v_to := private.uuid7_floor((v_week + p_days)::timestamp at time zone 'UTC');
      -- Made apart and attached: that keeps nobody from the other weeks but for a look into the default partition.
      execute format('create table partitions.%I (like public.%I including defaults including constraints)', v_leaf, p_table);
      execute format('with moved as (delete from partitions.%I where id >= %L and id < %L returning *) insert into partitions.%I select * from moved',
        p_table || '_default', v_from, v_to, v_leaf);
      execute format('alter table public.%I attach partition partitions.%I for values from (%L) to (%L)', p_table, v_leaf, v_from, v_to);
      v_made := v_made + 1;
    end if;
    v_week := v_week + p_days;
  end loop;
  return v_made;
end $$;

-- Drops the weeks that lie wholly before a day. What they said is in the daily rows by then: see upkeep. Whoever waits for
-- the table's lock holds up all who write behind them, so behind a long report this gives up, and is tried again later.
create function private.drop_partitions(p_table text, p_before date, p_days int default 7) returns int
language plpgsql volatile security definer set search_path = '' set lock_timeout = '3s' as $$
declare v_leaf text; v_dropped int := 0;
begin
  if p_table not in ('sessions', 'votes', 'songs_playing') then raise exception 'there are no partitions of %', p_table; end if;
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('roomtone.partitions.' || p_table));
  for v_leaf in
    select c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'partitions' and c.relkind = 'r' and c.relname ~ ('^' || p_table || '_[0-9]{8}$')
      and to_date(right(c.relname, 8), 'YYYYMMDD') + p_days <= p_before
    order by 1
  loop
    execute format('drop table partitions.%I', v_leaf);
    v_dropped := v_dropped + 1;
  end loop;
  return v_dropped;
end $$;

-- How many rows lie where no week is.
create function private.stray_facts() returns table (fact text, strays bigint)
language sql stable security definer set search_path = '' as $$
  select 'sessions', count(*) from partitions.sessions_default
  union all select 'votes', count(*) from partitions.votes_default
  union all select 'songs_playing', count(*) from partitions.songs_playing_default $$;

-- Which migrations are applied, by whichever migrator began the list: the programs compare it with what they know. The
-- CLI's list may hold the project's own besides ours.
create function private.applied_migrations() returns table (version bigint, by_cli boolean)
language plpgsql stable security definer set search_path = '' as $$
begin
  if to_regclass('private._sqlx_migrations') is not null then
    return query execute 'select version, false from private._sqlx_migrations where success';
  end if;
  if not found and to_regclass('supabase_migrations.schema_migrations') is not null then
    return query execute 'select version::bigint, true from supabase_migrations.schema_migrations where version ~ ''^[0-9]+$''';
  end if;
end $$;
