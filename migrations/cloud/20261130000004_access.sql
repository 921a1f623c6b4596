-- Who may do what. Supabase gives new tables to everybody in older projects and to nobody in newer ones: everything is
-- taken away first, and then given by name. In `public` only from what is ours: a project may have tables and functions
-- of its own there, and how those are kept is its own affair.
--
-- Policies: one per table, role and action, always in the form `= any (array(select ..))`, which Postgres computes once
-- per statement and then looks up by index. With `in (select ..)` it would read the whole table.

set lock_timeout = '5s';

revoke all on all tables in schema private, partitions from public, anon, authenticated, service_role, roomtone_hub, roomtone_cloud;
revoke all on all functions in schema private from public, anon, authenticated, service_role, roomtone_hub, roomtone_cloud;
revoke all on function public.recommend_with_penalty(extensions.vector, int, int),
  public.recommend_for_venue(uuid, extensions.vector, int, int)
  from public, anon, authenticated, service_role, roomtone_hub, roomtone_cloud;
do $$
declare t regclass;
begin
  for t in select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
           where n.nspname = 'private' and c.relkind in ('r', 'p') and c.relname <> '_sqlx_migrations' loop
    execute format('alter table %s enable row level security', t);
  end loop;
  foreach t in array (select array_agg(format('public.%I', name)::regclass) from unnest(array[
    'profiles', 'roles', 'organisations', 'venues', 'zones', 'venue_members', 'hubs', 'sync_state',
    'sync_quarantine', 'embedding_models', 'songs', 'venue_songs', 'song_uploads', 'players', 'guests',
    'preferences', 'sessions', 'votes', 'songs_playing', 'venue_song_daily', 'venue_daily', 'history_exports',
    'audit_log', 'idempotency']) name)
  loop
    execute format('revoke all on table %s from public, anon, authenticated, service_role, roomtone_hub, roomtone_cloud', t);
    execute format('alter table %s enable row level security', t);
    -- Supabase's own master key, for its dashboard; our programs refuse to use it.
    execute format('grant select, insert, update, delete on table %s to service_role', t);
  end loop;
end $$;

-- Functions -----------------------------------------------------------------------------------------------------------

grant execute on function private.uuid7(timestamptz), private.uuid7_floor(timestamptz), private.uuid7_time(uuid), private.current_model()
  to authenticated, roomtone_hub, roomtone_cloud;
grant execute on function private.is_admin(), private.my_venues(text), private.my_organisations(text), private.my_people(),
  private.may_use_song(uuid), private.ensure_profile() to authenticated;
grant execute on function private.hub_id(), private.hub_venue(), private.hub_organisation() to roomtone_hub;
grant execute on function private.grant_admin(text), private.ensure_partitions(text, date, date, int),
  private.drop_partitions(text, date, int), private.stray_facts(), private.applied_migrations() to roomtone_cloud;
grant execute on function public.recommend_with_penalty(extensions.vector, int, int),
  public.recommend_for_venue(uuid, extensions.vector, int, int) to authenticated, roomtone_cloud, service_role;
grant execute on function private.rank_plan(extensions.vector, interval, int), private.rest_window(uuid, int),
  private.rank(uuid, extensions.vector, interval, int) to authenticated, roomtone_cloud, service_role;
-- service_role asks by those functions, and they ask by these.
grant usage on schema private to service_role;
grant execute on function private.current_model() to service_role;

-- People --------------------------------------------------------------------------------------------------------------

grant select on public.profiles, public.roles to authenticated, roomtone_cloud;
grant update (name, display_name) on public.profiles to authenticated;
create policy profiles_read on public.profiles for select to authenticated
  using (id = any (array(select private.my_people())) or (select private.is_admin()));
create policy profiles_edit on public.profiles for update to authenticated
  using (id = (select auth.uid())) with check (id = (select auth.uid()));
create policy profiles_service on public.profiles for select to roomtone_cloud using (true);
create policy roles_read on public.roles for select to authenticated
  using (user_id = (select auth.uid()) or (select private.is_admin()));
create policy roles_service on public.roles for select to roomtone_cloud using (true);

-- Venues --------------------------------------------------------------------------------------------------------------

grant select on public.organisations, public.venues, public.zones, public.venue_members to authenticated, roomtone_cloud;
grant select on public.venues, public.zones to roomtone_hub;
grant update (slug, name, kind, timezone, penalty_hours, crossfade_ms, settings) on public.venues to authenticated;
create policy organisations_read on public.organisations for select to authenticated
  using (id = any (array(select private.my_organisations())));
create policy organisations_service on public.organisations for select to roomtone_cloud using (true);
create policy venues_read on public.venues for select to authenticated using (id = any (array(select private.my_venues())));
create policy venues_edit on public.venues for update to authenticated
  using (id = any (array(select private.my_venues('manager')))) with check (id = any (array(select private.my_venues('manager'))));
create policy venues_hub on public.venues for select to roomtone_hub using (id = (select private.hub_venue()));
create policy venues_service on public.venues for select to roomtone_cloud using (true);
create policy zones_read on public.zones for select to authenticated using (venue_id = any (array(select private.my_venues())));
create policy zones_hub on public.zones for select to roomtone_hub using (venue_id = (select private.hub_venue()));
create policy zones_service on public.zones for select to roomtone_cloud using (true);
-- Zones are written, and members come and go, by functions that know the rule of the last owner.
create policy venue_members_read on public.venue_members for select to authenticated
  using (venue_id = any (array(select private.my_venues())));
create policy venue_members_service on public.venue_members for select to roomtone_cloud using (true);

-- Hubs ----------------------------------------------------------------------------------------------------------------

-- Neither keys nor the hash of an enrolment code are for people.
grant select (id, venue_id, name, enrolment_expires_at, enrolled_at, software, schema_version, clock_skew_ms,
  pending_operations, last_seen_at, revoked_at, created_at, updated_at) on public.hubs to authenticated;
grant select (id, venue_id, name, enrolled_at, revoked_at),
  update (software, schema_version, clock_skew_ms, pending_operations, last_seen_at) on public.hubs to roomtone_hub;
grant select, update on public.hubs to roomtone_cloud;
create policy hubs_read on public.hubs for select to authenticated using (venue_id = any (array(select private.my_venues())));
create policy hubs_hub_read on public.hubs for select to roomtone_hub using (id = (select private.hub_id()));
create policy hubs_hub_edit on public.hubs for update to roomtone_hub
  using (id = (select private.hub_id())) with check (id = (select private.hub_id()) and venue_id = (select private.hub_venue()));
create policy hubs_service_read on public.hubs for select to roomtone_cloud using (true);
create policy hubs_service_edit on public.hubs for update to roomtone_cloud using (true) with check (id is not null);

grant select (hub_id, epoch, acked_seq, updated_at) on public.sync_state to authenticated;
grant select, insert, update on public.sync_state to roomtone_hub;
grant select on public.sync_state to roomtone_cloud;
create policy sync_state_read on public.sync_state for select to authenticated
  using (hub_id in (select h.id from public.hubs h where h.venue_id = any (array(select private.my_venues()))));
create policy sync_state_hub_read on public.sync_state for select to roomtone_hub using (hub_id = (select private.hub_id()));
create policy sync_state_hub_add on public.sync_state for insert to roomtone_hub with check (hub_id = (select private.hub_id()));
create policy sync_state_hub_edit on public.sync_state for update to roomtone_hub
  using (hub_id = (select private.hub_id())) with check (hub_id = (select private.hub_id()));
create policy sync_state_service on public.sync_state for select to roomtone_cloud using (true);

grant select on public.sync_quarantine to authenticated, roomtone_cloud;
grant select, insert on public.sync_quarantine to roomtone_hub;
grant delete on public.sync_quarantine to roomtone_cloud;
create policy sync_quarantine_read on public.sync_quarantine for select to authenticated
  using (venue_id = any (array(select private.my_venues('manager'))));
create policy sync_quarantine_hub_read on public.sync_quarantine for select to roomtone_hub using (hub_id = (select private.hub_id()));
create policy sync_quarantine_hub_add on public.sync_quarantine for insert to roomtone_hub
  with check (hub_id = (select private.hub_id()) and venue_id = (select private.hub_venue()));
create policy sync_quarantine_service on public.sync_quarantine for select to roomtone_cloud using (true);
create policy sync_quarantine_service_remove on public.sync_quarantine for delete to roomtone_cloud using (venue_id is not null);

grant select, insert on private.sync_received to roomtone_hub;
create policy sync_received_read on private.sync_received for select to roomtone_hub using (hub_id = (select private.hub_id()));
create policy sync_received_add on private.sync_received for insert to roomtone_hub with check (hub_id = (select private.hub_id()));

-- Catalogue -----------------------------------------------------------------------------------------------------------

grant select on public.embedding_models to authenticated, roomtone_hub, roomtone_cloud;
create policy embedding_models_read on public.embedding_models for select to authenticated, roomtone_hub, roomtone_cloud using (true);

-- What the bytes are, and what they were measured to be, is for the analysis to write; the rest is the manager's, but
-- for whether it is withdrawn, which a function says.
grant select on public.songs to authenticated, roomtone_hub, roomtone_cloud;
grant update (title, artist, album, isrc, label, explicit, bpm, key, type, embedding, embedding_model_id, own_values)
  on public.songs to authenticated;
grant insert, update on public.songs to roomtone_cloud;
create policy songs_read on public.songs for select to authenticated
  using (organisation_id = any (array(select private.my_organisations())));
create policy songs_edit on public.songs for update to authenticated
  using (organisation_id = any (array(select private.my_organisations('staff'))))
  with check (organisation_id = any (array(select private.my_organisations('staff'))));
create policy songs_hub on public.songs for select to roomtone_hub using (organisation_id = (select private.hub_organisation()));
create policy songs_service_read on public.songs for select to roomtone_cloud using (true);
create policy songs_service_add on public.songs for insert to roomtone_cloud with check (organisation_id is not null);
create policy songs_service_edit on public.songs for update to roomtone_cloud using (true) with check (organisation_id is not null);

grant select on public.venue_songs to authenticated, roomtone_hub, roomtone_cloud;
grant insert (venue_id, song_id, enabled), update (enabled, removed_at) on public.venue_songs to authenticated;
grant insert, update on public.venue_songs to roomtone_cloud;
create policy venue_songs_read on public.venue_songs for select to authenticated
  using (venue_id = any (array(select private.my_venues())));
create policy venue_songs_add on public.venue_songs for insert to authenticated
  with check (venue_id = any (array(select private.my_venues('staff'))) and private.may_use_song(song_id));
create policy venue_songs_edit on public.venue_songs for update to authenticated
  using (venue_id = any (array(select private.my_venues('staff')))) with check (venue_id = any (array(select private.my_venues('staff'))));
create policy venue_songs_hub on public.venue_songs for select to roomtone_hub using (venue_id = (select private.hub_venue()));
create policy venue_songs_service_read on public.venue_songs for select to roomtone_cloud using (true);
create policy venue_songs_service_add on public.venue_songs for insert to roomtone_cloud with check (venue_id is not null);
create policy venue_songs_service_edit on public.venue_songs for update to roomtone_cloud using (true) with check (venue_id is not null);

-- Players and people in the room --------------------------------------------------------------------------------------

-- Not the token: nobody reads it, whatever it is a hash of.
grant select (id, venue_id, zone_id, hub_id, name, manager_id, current_song_id, status, tier, silence_seconds, last_poll_at,
  revoked_at, created_at, updated_at) on public.players to authenticated, roomtone_hub, roomtone_cloud;
grant insert (id, venue_id, zone_id, hub_id, name, created_at),
  update (zone_id, hub_id, name, current_song_id, status, tier, silence_seconds, last_poll_at, revoked_at) on public.players to roomtone_hub;
create policy players_read on public.players for select to authenticated using (venue_id = any (array(select private.my_venues())));
create policy players_hub_read on public.players for select to roomtone_hub using (venue_id = (select private.hub_venue()));
create policy players_hub_add on public.players for insert to roomtone_hub
  with check (venue_id = (select private.hub_venue()) and hub_id = (select private.hub_id()));
create policy players_hub_edit on public.players for update to roomtone_hub
  using (venue_id = (select private.hub_venue())) with check (venue_id = (select private.hub_venue()));
create policy players_service on public.players for select to roomtone_cloud using (true);

grant select on public.guests to authenticated, roomtone_cloud;
grant select, insert on public.guests to roomtone_hub;
create policy guests_read on public.guests for select to authenticated using (claimed_by = (select auth.uid()));
create policy guests_hub_read on public.guests for select to roomtone_hub using (venue_id = (select private.hub_venue()));
create policy guests_hub_add on public.guests for insert to roomtone_hub with check (venue_id = (select private.hub_venue()));
create policy guests_service on public.guests for select to roomtone_cloud using (true);

-- A taste is its owner's, and that of the hub where they are a guest.
grant select on public.preferences to authenticated, roomtone_cloud;
grant select, insert, update on public.preferences to roomtone_hub;
create policy preferences_read on public.preferences for select to authenticated using (user_id = (select auth.uid()));
create policy preferences_hub_read on public.preferences for select to roomtone_hub
  using (guest_id in (select g.id from public.guests g where g.venue_id = (select private.hub_venue())));
create policy preferences_hub_add on public.preferences for insert to roomtone_hub
  with check (guest_id in (select g.id from public.guests g where g.venue_id = (select private.hub_venue())));
create policy preferences_hub_edit on public.preferences for update to roomtone_hub
  using (guest_id in (select g.id from public.guests g where g.venue_id = (select private.hub_venue())))
  with check (guest_id in (select g.id from public.guests g where g.venue_id = (select private.hub_venue())));
create policy preferences_service on public.preferences for select to roomtone_cloud using (true);

-- Facts ---------------------------------------------------------------------------------------------------------------

-- Who was there and who cast a vote is between them and the hub: people of the venue see that somebody was, and what
-- was voted, not by whom.
grant select (id, venue_id, zone_id, song_id, vote_value, vote_time, received_at) on public.votes to authenticated;
grant select (id, venue_id, zone_id, hub_id, status, checked_in_at, expires_at, ended_at, received_at) on public.sessions
  to authenticated;
grant select on public.songs_playing to authenticated;
grant select on public.sessions, public.votes, public.songs_playing to roomtone_cloud;
grant select, insert on public.votes to roomtone_hub;
grant select, insert on public.sessions, public.songs_playing to roomtone_hub;
grant update (status, expires_at, ended_at, received_at) on public.sessions to roomtone_hub;
grant update (ended_at, ended, heard_ms, tier, received_at) on public.songs_playing to roomtone_hub;
do $$
declare t text;
begin
  foreach t in array array['sessions', 'votes', 'songs_playing'] loop
    execute format($p$create policy %1$s_read on public.%1$I for select to authenticated using (venue_id = any (array(select private.my_venues())))$p$, t);
    execute format($p$create policy %1$s_hub_read on public.%1$I for select to roomtone_hub using (venue_id = (select private.hub_venue()))$p$, t);
    execute format($p$create policy %1$s_hub_add on public.%1$I for insert to roomtone_hub with check (venue_id = (select private.hub_venue()))$p$, t);
    execute format($p$create policy %1$s_service on public.%1$I for select to roomtone_cloud using (true)$p$, t);
  end loop;
  foreach t in array array['sessions', 'songs_playing'] loop
    execute format($p$create policy %1$s_hub_edit on public.%1$I for update to roomtone_hub
      using (venue_id = (select private.hub_venue())) with check (venue_id = (select private.hub_venue()))$p$, t);
  end loop;
  foreach t in array array['venue_song_daily', 'venue_daily'] loop
    execute format('grant select on public.%I to authenticated, roomtone_cloud', t);
    execute format($p$create policy %1$s_read on public.%1$I for select to authenticated using (venue_id = any (array(select private.my_venues())))$p$, t);
    execute format($p$create policy %1$s_service on public.%1$I for select to roomtone_cloud using (true)$p$, t);
  end loop;
end $$;

-- Work and its traces -------------------------------------------------------------------------------------------------

-- song_uploads: in the migration of the uploads.

grant select on public.history_exports to authenticated, roomtone_cloud;
grant update, delete on public.history_exports to roomtone_cloud;
create policy history_exports_read on public.history_exports for select to authenticated
  using (venue_id = any (array(select private.my_venues('manager'))));
create policy history_exports_service on public.history_exports for select to roomtone_cloud using (true);
create policy history_exports_service_edit on public.history_exports for update to roomtone_cloud
  using (true) with check (venue_id is not null);
create policy history_exports_service_remove on public.history_exports for delete to roomtone_cloud using (venue_id is not null);

-- The log is written by functions, and by the cloud's own work. Nobody changes it.
grant select on public.audit_log to authenticated, roomtone_cloud;
grant insert on public.audit_log to roomtone_cloud;
create policy audit_log_read on public.audit_log for select to authenticated
  using (venue_id = any (array(select private.my_venues('manager')))
    or (venue_id is null and organisation_id = any (array(select private.my_organisations('manager'))))
    or (select private.is_admin()));
create policy audit_log_service on public.audit_log for select to roomtone_cloud using (true);
create policy audit_log_service_add on public.audit_log for insert to roomtone_cloud with check (action is not null);

grant select, insert (user_id, key, operation, input_hash, result) on public.idempotency to authenticated;
grant select (created_at, user_id, key), delete on public.idempotency to roomtone_cloud;
create policy idempotency_read on public.idempotency for select to authenticated using (user_id = (select auth.uid()));
create policy idempotency_add on public.idempotency for insert to authenticated with check (user_id = (select auth.uid()));
create policy idempotency_service on public.idempotency for select to roomtone_cloud using (true);
create policy idempotency_service_remove on public.idempotency for delete to roomtone_cloud using (user_id is not null);

-- This week, the one before it and the four to come.
select private.ensure_partitions(t, current_date - 7, current_date + 28) from unnest(array['sessions', 'votes', 'songs_playing']) t;
