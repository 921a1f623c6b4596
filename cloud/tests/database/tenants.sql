-- A tenant: a row of each table that belongs to somebody. {n} is one digit that tells tenants apart.
insert into auth.users (id, email, email_confirmed_at)
select ('00000000-0000-7000-8000-0000000{n}000' || i)::uuid, 'person' || i || '@tenant{n}.example', now()
from generate_series(1, 4) i;
insert into public.roles (user_id, role) values ('00000000-0000-7000-8000-0000000{n}0001', 'manager');
insert into public.organisations (id, name) values ('00000000-0000-7000-8000-0000000{n}0010', 'Organisation {n}');
insert into public.venues (id, organisation_id, slug, name)
values ('00000000-0000-7000-8000-0000000{n}0020', '00000000-0000-7000-8000-0000000{n}0010', 'venue-{n}', 'Venue {n}');
insert into public.venue_members (venue_id, user_id, role)
select '00000000-0000-7000-8000-0000000{n}0020', ('00000000-0000-7000-8000-0000000{n}000' || i)::uuid,
  (array['owner', 'manager', 'staff', 'viewer'])[i] from generate_series(1, 4) i;
insert into public.zones (id, venue_id, name)
values ('00000000-0000-7000-8000-0000000{n}0030', '00000000-0000-7000-8000-0000000{n}0020', 'Room');
insert into public.zone_fairness (zone_id, venue_id, told_at, told)
values ('00000000-0000-7000-8000-0000000{n}0030', '00000000-0000-7000-8000-0000000{n}0020', now(), '{}');
insert into public.hubs (id, venue_id, name, public_key, enrolled_at, enrolment_hash, enrolment_expires_at)
values ('00000000-0000-7000-8000-0000000{n}0040', '00000000-0000-7000-8000-0000000{n}0020', 'Hub',
  sha256('key {n}'), now(), sha256('code {n}'), now());
insert into public.sync_state (hub_id) values ('00000000-0000-7000-8000-0000000{n}0040');
insert into public.sync_quarantine (id, hub_id, hub_epoch, seq, venue_id, kind, payload, outcome, error)
values ('00000000-0000-7000-8000-0000000{n}0110', '00000000-0000-7000-8000-0000000{n}0040', 1, 1, '00000000-0000-7000-8000-0000000{n}0020', 'vote_cast', '{}', 'parked', 'because');
insert into private.sync_received (hub_id, epoch, seq, payload_hash)
values ('00000000-0000-7000-8000-0000000{n}0040', 1, 1, sha256('x'));
insert into public.songs (id, organisation_id, title, file_url, object_key, content_sha256, content_bytes, content_type,
  duration_ms, embedding, embedding_model_id, status)
values ('00000000-0000-7000-8000-0000000{n}0050', '00000000-0000-7000-8000-0000000{n}0010', 'Song {n}', 's3://songs/{n}',
  '{n}', sha256('{n}'), 1, 'audio/flac', 240000, '[1,0,0,0,0]', 1, 'ready');
insert into public.venue_songs (venue_id, song_id)
values ('00000000-0000-7000-8000-0000000{n}0020', '00000000-0000-7000-8000-0000000{n}0050');
insert into public.song_uploads (id, organisation_id, user_id, filename, object_key, content_sha256, content_bytes,
  content_type, expires_at)
values ('00000000-0000-7000-8000-0000000{n}0060', '00000000-0000-7000-8000-0000000{n}0010',
  '00000000-0000-7000-8000-0000000{n}0001', 'song.flac', 'staging/00000000-0000-7000-8000-0000000{n}0060', sha256('{n}'), 1, 'audio/flac', now());
insert into public.players (id, venue_id, zone_id, hub_id, name, token, volume_percent)
values ('00000000-0000-7000-8000-0000000{n}0070', '00000000-0000-7000-8000-0000000{n}0020',
  '00000000-0000-7000-8000-0000000{n}0030', '00000000-0000-7000-8000-0000000{n}0040', 'Player', encode(sha256('{n}'), 'hex'), 50);
insert into public.guests (id, venue_id)
values ('00000000-0000-7000-8000-0000000{n}0080', '00000000-0000-7000-8000-0000000{n}0020');
insert into public.preferences (id, user_id, guest_id, embedding_model_id)
values ('00000000-0000-7000-8000-0000000{n}0090', '00000000-0000-7000-8000-0000000{n}0001', null, 1),
  ('00000000-0000-7000-8000-0000000{n}0091', null, '00000000-0000-7000-8000-0000000{n}0080', 1);
insert into public.sessions (id, venue_id, guest_id, checked_in_at, expires_at)
values (private.uuid7(), '00000000-0000-7000-8000-0000000{n}0020', '00000000-0000-7000-8000-0000000{n}0080', now(), now() + interval '1 hour');
insert into public.votes (id, venue_id, song_id, guest_id, vote_value, vote_time)
values (private.uuid7(), '00000000-0000-7000-8000-0000000{n}0020', '00000000-0000-7000-8000-0000000{n}0050',
  '00000000-0000-7000-8000-0000000{n}0080', 1, now());
insert into public.songs_playing (id, venue_id, song_id, played_at)
values (private.uuid7(), '00000000-0000-7000-8000-0000000{n}0020', '00000000-0000-7000-8000-0000000{n}0050', now());
insert into public.venue_song_daily (venue_id, day, song_id)
values ('00000000-0000-7000-8000-0000000{n}0020', current_date, '00000000-0000-7000-8000-0000000{n}0050');
insert into public.venue_daily (venue_id, day) values ('00000000-0000-7000-8000-0000000{n}0020', current_date);
insert into public.history_exports (venue_id, user_id, range_from, range_to, format)
values ('00000000-0000-7000-8000-0000000{n}0020', '00000000-0000-7000-8000-0000000{n}0001', now() - interval '1 day', now(), 'csv');
insert into public.audit_log (organisation_id, venue_id, actor_id, action, target)
values ('00000000-0000-7000-8000-0000000{n}0010', '00000000-0000-7000-8000-0000000{n}0020',
  '00000000-0000-7000-8000-0000000{n}0001', 'venue.created', 'Venue:{n}');
insert into public.idempotency (user_id, key, operation, input_hash, result)
values ('00000000-0000-7000-8000-0000000{n}0001', gen_random_uuid(), 'createVenue', sha256('x'), '{}');
insert into private.venue_people (venue_id, user_id, last_seen_at)
values ('00000000-0000-7000-8000-0000000{n}0020', '00000000-0000-7000-8000-0000000{n}0001', now());
insert into private.effective_votes (user_id, song_id, vote_id, hlc, vote_value)
values ('00000000-0000-7000-8000-0000000{n}0001', '00000000-0000-7000-8000-0000000{n}0050', gen_random_uuid(), 1, 1);
insert into private.song_aliases (organisation_id, hub_song, song_id)
values ('00000000-0000-7000-8000-0000000{n}0010', '00000000-0000-7000-8000-0000000{n}0051', '00000000-0000-7000-8000-0000000{n}0050');
insert into private.zone_aliases (hub_id, hub_zone, zone_id)
values ('00000000-0000-7000-8000-0000000{n}0040', '00000000-0000-7000-8000-0000000{n}0031', '00000000-0000-7000-8000-0000000{n}0030');
insert into private.clock_samples (hub_id, boot, slot, mono_ms, cloud_at)
values ('00000000-0000-7000-8000-0000000{n}0040', '00000000-0000-7000-8000-0000000{n}0041', 0, 0, now());
insert into private.snapshots (scope, organisation_id, at_seq, at_tag, chunks, built_at)
values ('venue:00000000-0000-7000-8000-0000000{n}0020', '00000000-0000-7000-8000-0000000{n}0010', 1, 1, '[]', now());
insert into private.guest_doors (venue_id, code) values ('00000000-0000-7000-8000-0000000{n}0020', 'ABCDEFGH0{n}');
insert into private.rooms_told (venue_id, zone_id, hub_id, place, told, told_at)
values ('00000000-0000-7000-8000-0000000{n}0020', '00000000-0000-7000-8000-0000000{n}0030', '00000000-0000-7000-8000-0000000{n}0040', 0, '{}', now());
insert into private.guest_devices (venue_id, id, cookie_hash, listener_id, created_at, last_seen_at)
values ('00000000-0000-7000-8000-0000000{n}0020', '00000000-0000-7000-8000-0000000{n}0120', sha256('cookie {n}'),
  '00000000-0000-7000-8000-0000000{n}0121', now(), now());
insert into private.guest_sessions (venue_id, id, device_id, listener_id, zone_id, key, token_hash, checked_in_at, last_seen_at, expires_at)
values ('00000000-0000-7000-8000-0000000{n}0020', '00000000-0000-7000-8000-0000000{n}0122', '00000000-0000-7000-8000-0000000{n}0120',
  '00000000-0000-7000-8000-0000000{n}0121', '00000000-0000-7000-8000-0000000{n}0030', gen_random_uuid(), sha256('token {n}'), now(), now(),
  now() + interval '1 hour');
insert into private.guest_votes (venue_id, id, session_id, listener_id, song_id, vote_value, cast_at)
values ('00000000-0000-7000-8000-0000000{n}0020', '00000000-0000-7000-8000-0000000{n}0123', '00000000-0000-7000-8000-0000000{n}0122',
  '00000000-0000-7000-8000-0000000{n}0121', '00000000-0000-7000-8000-0000000{n}0050', 1, now());
insert into private.guest_skips (venue_id, id, session_id, listener_id, song_id, cast_at)
values ('00000000-0000-7000-8000-0000000{n}0020', '00000000-0000-7000-8000-0000000{n}0124', '00000000-0000-7000-8000-0000000{n}0122',
  '00000000-0000-7000-8000-0000000{n}0121', '00000000-0000-7000-8000-0000000{n}0050', now());
insert into private.guest_keys (venue_id, listener_id, key, what, target, at)
values ('00000000-0000-7000-8000-0000000{n}0020', '00000000-0000-7000-8000-0000000{n}0121', gen_random_uuid(), 'vote',
  '00000000-0000-7000-8000-0000000{n}0123', now());
insert into private.guest_limits (venue_id, what, full_at) values ('00000000-0000-7000-8000-0000000{n}0020', 'guess x', now());
insert into public.player_pairings (id, venue_id, hub_id, digits, expires_at)
values ('00000000-0000-7000-8000-0000000{n}0130', '00000000-0000-7000-8000-0000000{n}0020', '00000000-0000-7000-8000-0000000{n}0040', '12345678',
  now() + interval '5 minutes');
