-- Tables. Who may do what with them stands in the migrations after this one.

set lock_timeout = '5s';

-- People --------------------------------------------------------------------------------------------------------------

create table public.profiles (
  id uuid primary key references auth.users (id) on delete cascade,
  email text, name text, display_name text check (length(display_name) <= 80),
  created_at timestamptz not null default now());

-- Global roles. What somebody may do in a venue stands in venue_members.
create table public.roles (
  id uuid primary key default private.uuid7(),
  user_id uuid not null references public.profiles (id) on delete cascade,
  role text not null check (role in ('admin', 'manager', 'listener')),
  created_at timestamptz not null default now(),
  unique (user_id, role));

-- Venues --------------------------------------------------------------------------------------------------------------

-- An owner's venues share one catalogue: the organisation is what a song belongs to.
create table public.organisations (
  id uuid primary key default private.uuid7(),
  name text not null check (length(name) between 1 and 200),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now());

create table public.venues (
  id uuid primary key default private.uuid7(),
  organisation_id uuid not null references public.organisations (id) on delete restrict,
  slug text not null unique check (slug ~ '^[a-z0-9][a-z0-9-]{1,62}$'),
  name text not null check (length(name) between 1 and 200),
  kind text not null default 'other' check (kind in ('cafe', 'spa', 'coworking', 'gallery', 'other')),
  timezone text not null default 'UTC' check (length(timezone) between 1 and 64),
  penalty_hours int not null default 4 check (penalty_hours between 1 and 48),
  crossfade_ms int not null default 5000 check (crossfade_ms between 0 and 20000),
  settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object' and pg_column_size(settings) < 16384),
  archived_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now());
create index venues_organisation_idx on public.venues (organisation_id);

create table public.zones (
  id uuid primary key default private.uuid7(),
  venue_id uuid not null references public.venues (id) on delete cascade,
  name text not null check (length(name) between 1 and 80),
  -- The settings of schema's ZoneSettings; what is left out has its default there.
  settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object' and pg_column_size(settings) < 16384),
  archived_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- The venue first: what belongs to a zone says whose it is, and both are looked up by it.
  unique (venue_id, id));
create unique index zones_name_key on public.zones (venue_id, name) where archived_at is null;

create table public.venue_members (
  venue_id uuid not null references public.venues (id) on delete cascade,
  user_id uuid not null references public.profiles (id) on delete cascade,
  role text not null check (role in ('owner', 'manager', 'staff', 'viewer')),
  created_at timestamptz not null default now(),
  -- The user first: policies ask "which venues are mine".
  primary key (user_id, venue_id));
create index venue_members_venue_idx on public.venue_members (venue_id);

-- Hubs ----------------------------------------------------------------------------------------------------------------

create table public.hubs (
  id uuid primary key default private.uuid7(),
  venue_id uuid not null references public.venues (id) on delete cascade,
  name text not null check (length(name) between 1 and 80),
  -- The hub's own Ed25519 key; null until it has traded its enrolment code for it.
  public_key bytea unique check (octet_length(public_key) = 32),
  next_public_key bytea unique check (octet_length(next_public_key) = 32),
  -- sha256 of the one-time code, and how often a wrong one was shown.
  enrolment_hash bytea unique check (octet_length(enrolment_hash) = 32),
  enrolment_expires_at timestamptz,
  enrolled_at timestamptz,
  software text check (length(software) <= 80),
  schema_version int,
  clock_skew_ms int,
  pending_operations int check (pending_operations >= 0),
  last_seen_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((public_key is null) = (enrolled_at is null)),
  check ((enrolment_hash is null) = (enrolment_expires_at is null))) with (fillfactor = 50);
create index hubs_venue_idx on public.hubs (venue_id);

-- How far each hub's facts have come. One row per hub, written with each push.
create table public.sync_state (
  hub_id uuid primary key references public.hubs (id) on delete cascade,
  epoch bigint not null default 1 check (epoch > 0),
  -- The last seq of this epoch up to which every fact was applied, parked or rejected, and the chain's link there.
  acked_seq bigint not null default 0 check (acked_seq >= 0),
  last_hash bytea check (octet_length(last_hash) = 32),
  -- One run of one hub may push at a time.
  instance_nonce uuid,
  lease_until timestamptz,
  updated_at timestamptz not null default now()) with (fillfactor = 50);

-- Facts that could not be applied: parked ones wait for what they depend on, rejected ones for a person. Neither holds
-- up the others.
create table public.sync_quarantine (
  hub_id uuid not null references public.hubs (id) on delete cascade,
  hub_epoch bigint not null, seq bigint not null,
  venue_id uuid not null references public.venues (id) on delete cascade,
  kind text not null, payload jsonb not null,
  outcome text not null check (outcome in ('parked', 'rejected')),
  error text not null,
  received_at timestamptz not null default now(),
  primary key (hub_id, hub_epoch, seq));
create index sync_quarantine_venue_idx on public.sync_quarantine (venue_id, received_at);

-- The key and the hash of everything that was taken: the same key with another hash is a fork, and is refused.
create table private.sync_received (
  hub_id uuid not null, epoch bigint not null, seq bigint not null,
  payload_hash bytea not null check (octet_length(payload_hash) = 32),
  -- The chain's link behind it, where a push ended here.
  link bytea check (octet_length(link) = 32),
  received_at timestamptz not null default now(),
  primary key (hub_id, epoch, seq));

-- Catalogue -----------------------------------------------------------------------------------------------------------

create table public.embedding_models (
  id smallint primary key,
  name text not null, version text not null, dims smallint not null default 5 check (dims = 5),
  created_at timestamptz not null default now(), unique (name, version));
-- The numbers of schema's EmbeddingVersion.
insert into public.embedding_models (id, name, version) values (1, 'descriptors', '1');

create table public.songs (
  id uuid primary key default private.uuid7(),
  organisation_id uuid not null references public.organisations (id) on delete cascade,
  title text not null check (length(title) between 1 and 300),
  artist text check (length(artist) <= 300),
  album text check (length(album) <= 300),
  isrc text check (isrc ~ '^[A-Z]{2}[A-Z0-9]{3}[0-9]{7}$'),
  label text check (length(label) <= 300),
  explicit text not null default 'unknown' check (explicit in ('clean', 'explicit', 'unknown')),
  -- The older plan's column, as s3://bucket/key; downloads are signed addresses of object_key.
  file_url text not null check (file_url ~ '^s3://[^/]+/.+'),
  object_key text not null,
  content_sha256 bytea not null check (octet_length(content_sha256) = 32),
  content_bytes bigint not null check (content_bytes > 0),
  content_type text not null,
  bpm int check (bpm between 1 and 400),
  duration int check (duration > 0),                       -- seconds, the older plan's; duration_ms is exact
  duration_ms int check (duration_ms > 0),
  key text check (length(key) <= 8),
  type text check (type in ('soundscape', 'instrumental')),
  loudness_lufs real, true_peak_dbtp real,
  cue_in_ms int check (cue_in_ms >= 0), cue_out_ms int check (cue_out_ms > 0),
  embedding extensions.vector(5) check (embedding is null or extensions.vector_norm(embedding) > 0),
  embedding_model_id smallint references public.embedding_models (id),
  -- Which of the values above a manager has set: a new analysis leaves them alone.
  own_values text[] not null default '{}',
  status text not null default 'draft' check (status in ('draft', 'analysing', 'ready', 'failed', 'withdrawn')),
  failure text check (length(failure) <= 500),
  uploaded_by uuid references public.profiles (id) on delete set null,
  last_played timestamptz,                                 -- newest play anywhere; per venue it is in venue_songs
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- Audio without a direction (silence) is kept without embedding: playable, in the last tier.
  check ((embedding is null) = (embedding_model_id is null)),
  check (status <> 'ready' or duration_ms is not null));
create index songs_organisation_idx on public.songs (organisation_id, created_at desc, id desc);
create index songs_model_idx on public.songs (embedding_model_id);
create index songs_uploaded_by_idx on public.songs (uploaded_by);
create unique index songs_content_key on public.songs (organisation_id, content_sha256) where status <> 'withdrawn';

-- What a venue plays, and when it last did.
create table public.venue_songs (
  venue_id uuid not null references public.venues (id) on delete cascade,
  song_id uuid not null references public.songs (id) on delete cascade,
  enabled boolean not null default true,
  removed_at timestamptz,
  last_played_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (venue_id, song_id)) with (fillfactor = 80);
create index venue_songs_song_idx on public.venue_songs (song_id);

create table public.song_uploads (
  id uuid primary key default private.uuid7(),
  organisation_id uuid not null references public.organisations (id) on delete cascade,
  user_id uuid references public.profiles (id) on delete set null,
  filename text not null check (length(filename) between 1 and 255),
  object_key text not null check (object_key ~ '^[0-9a-zA-Z/_.-]+$'),
  content_sha256 bytea not null check (octet_length(content_sha256) = 32),
  content_bytes bigint not null check (content_bytes > 0),
  content_type text not null,
  -- Where it goes in parts: the store's name for it, and how many bytes each part but the last has.
  multipart_id text, part_bytes bigint check (part_bytes > 0),
  state text not null default 'waiting' check (state in ('waiting', 'queued', 'analysing', 'done', 'refused', 'expired')),
  -- The manager's own values as given at finalise: they win over the analysis.
  own_values jsonb not null default '{}' check (jsonb_typeof(own_values) = 'object' and pg_column_size(own_values) < 8192),
  venue_ids uuid[] not null default '{}',
  refusal_code text, refusal text check (length(refusal) <= 500),
  song_id uuid references public.songs (id) on delete set null,
  attempts int not null default 0,
  -- Which replica works on it, and until when nobody else takes it.
  claimed_by uuid, claimed_until timestamptz,
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((multipart_id is null) = (part_bytes is null)),
  check ((refusal_code is null) = (refusal is null)));
create index song_uploads_organisation_idx on public.song_uploads (organisation_id, id desc);
create index song_uploads_user_idx on public.song_uploads (user_id);
create index song_uploads_song_idx on public.song_uploads (song_id);
create index song_uploads_open_idx on public.song_uploads (state, expires_at) where state in ('waiting', 'queued', 'analysing');

-- Players and the people in the room ----------------------------------------------------------------------------------

create table public.players (
  id uuid primary key default private.uuid7(),
  venue_id uuid not null references public.venues (id) on delete cascade,
  zone_id uuid,
  hub_id uuid references public.hubs (id) on delete set null,
  name text not null check (length(name) between 1 and 80),
  -- The older plan's column; holds the sha256, in hexadecimal, of what the player shows. Never read by anybody.
  token text unique check (token ~ '^[0-9a-f]{64}$'),
  manager_id uuid references public.profiles (id) on delete set null,
  current_song_id uuid references public.songs (id) on delete set null,
  status text not null default 'offline' check (status in ('active', 'idle', 'offline')),
  tier text check (tier in ('hub', 'plan', 'cache')),
  silence_seconds int not null default 0 check (silence_seconds >= 0),
  last_poll_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- A zone of its own venue, and of no other.
  foreign key (venue_id, zone_id) references public.zones (venue_id, id) on delete set null (zone_id)) with (fillfactor = 70);
create index players_zone_idx on public.players (venue_id, zone_id);
create index players_hub_idx on public.players (hub_id);
create index players_manager_idx on public.players (manager_id);
create index players_song_idx on public.players (current_song_id);

-- A listener without an account, born at a hub.
create table public.guests (
  id uuid primary key,
  venue_id uuid not null references public.venues (id) on delete cascade,
  claimed_by uuid references public.profiles (id) on delete set null,
  created_at timestamptz not null default now());
create index guests_venue_idx on public.guests (venue_id);
create index guests_claimed_idx on public.guests (claimed_by);

-- The state of the fold of somebody's votes (schema's TasteState): counts, and sums in fixed point (2^32). The vector is
-- what follows from them, for those who read the older plan's column.
create table public.preferences (
  id uuid primary key default private.uuid7(),
  user_id uuid unique references public.profiles (id) on delete cascade,
  guest_id uuid unique references public.guests (id) on delete cascade,
  preference extensions.vector(5) check (preference is null or extensions.vector_norm(preference) > 0),
  embedding_model_id smallint not null references public.embedding_models (id),
  n_like bigint not null default 0 check (n_like >= 0),
  sum_like bigint[] not null default '{0,0,0,0,0}' check (cardinality(sum_like) = 5),
  n_dislike bigint not null default 0 check (n_dislike >= 0),
  sum_dislike bigint[] not null default '{0,0,0,0,0}' check (cardinality(sum_dislike) = 5),
  -- Up to which seq of which hub votes are folded in: {"<hub id>": [epoch, seq]}.
  folded jsonb not null default '{}' check (jsonb_typeof(folded) = 'object'),
  updated_at timestamptz not null default now(),
  check (num_nonnulls(user_id, guest_id) = 1));
create index preferences_model_idx on public.preferences (embedding_model_id);

-- Facts: partitioned by week on their own UUIDv7, so that a retry meets its first try and old weeks can be dropped.
-- They have no foreign keys to songs, players or sessions: a hub that was away may tell of what is gone here, and that
-- must not hold up what it tells besides.

create table public.sessions (
  id uuid not null, venue_id uuid not null references public.venues (id) on delete cascade,
  user_id uuid references public.profiles (id) on delete set null,
  guest_id uuid, zone_id uuid,
  hub_id uuid,
  status text not null default 'active' check (status in ('active', 'expired', 'ended')),
  checked_in_at timestamptz not null, expires_at timestamptz not null, ended_at timestamptz,
  received_at timestamptz not null default now(),
  primary key (venue_id, id), check (expires_at > checked_in_at)) partition by range (id);
create index sessions_user_idx on public.sessions (user_id) where user_id is not null;

create table public.votes (
  id uuid not null, venue_id uuid not null references public.venues (id) on delete cascade,
  song_id uuid not null, session_id uuid,
  user_id uuid references public.profiles (id) on delete set null,
  guest_id uuid, zone_id uuid,
  vote_value int not null check (vote_value in (-1, 1)),
  vote_time timestamptz not null,
  received_at timestamptz not null default now(),
  primary key (venue_id, id)) partition by range (id);
create index votes_user_idx on public.votes (user_id) where user_id is not null;

create table public.songs_playing (
  id uuid not null, venue_id uuid not null references public.venues (id) on delete cascade,
  zone_id uuid, player_id uuid, song_id uuid not null, pick_id uuid,
  played_at timestamptz not null, ended_at timestamptz,
  ended text check (ended in ('finished', 'skipped', 'failed', 'stopped')),
  heard_ms int check (heard_ms >= 0),
  tier text not null default 'hub' check (tier in ('hub', 'plan', 'cache')),
  similarity real, penalty real,
  hub_id uuid,
  received_at timestamptz not null default now(),
  primary key (venue_id, id)) partition by range (id);
-- An id holds the time by the clock of the box that made it, which may be any: reports go by this.
create index songs_playing_played_idx on public.songs_playing (venue_id, played_at);

-- Kept when the weeks are dropped. Days are the venue's own.
create table public.venue_song_daily (
  venue_id uuid not null references public.venues (id) on delete cascade, day date not null, song_id uuid not null,
  plays int not null default 0, heard_ms bigint not null default 0,
  likes int not null default 0, dislikes int not null default 0,
  primary key (venue_id, day, song_id));
create table public.venue_daily (
  venue_id uuid not null references public.venues (id) on delete cascade, day date not null,
  plays int not null default 0, songs int not null default 0, listeners int not null default 0,
  likes int not null default 0, dislikes int not null default 0,
  -- Seconds of music that did not come from a pick of the hub made just then.
  plan_seconds bigint not null default 0, cache_seconds bigint not null default 0,
  primary key (venue_id, day));

-- Work and its traces -------------------------------------------------------------------------------------------------

create table public.history_exports (
  id uuid primary key default private.uuid7(),
  venue_id uuid not null references public.venues (id) on delete cascade,
  user_id uuid references public.profiles (id) on delete set null,
  range_from timestamptz not null, range_to timestamptz not null,
  format text not null check (format in ('csv', 'ndjson')),
  status text not null default 'queued' check (status in ('queued', 'running', 'ready', 'failed')),
  rows_done int not null default 0, object_key text, failure text check (length(failure) <= 500),
  attempts int not null default 0, claimed_by uuid, claimed_until timestamptz,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (range_from < range_to), check (status <> 'ready' or object_key is not null));
create index history_exports_venue_idx on public.history_exports (venue_id, id desc);
create index history_exports_user_idx on public.history_exports (user_id);
create index history_exports_open_idx on public.history_exports (status) where status in ('queued', 'running');

create table public.audit_log (
  id uuid primary key default private.uuid7(),
  organisation_id uuid references public.organisations (id) on delete cascade,
  venue_id uuid references public.venues (id) on delete cascade,
  -- Who; null once their account is gone. No foreign key in the way of what happened.
  actor_id uuid references public.profiles (id) on delete set null,
  action text not null check (action ~ '^[a-z_]+\.[a-z_]+$'),   -- such as venue.created, hub.revoked
  target text not null,                                         -- such as Venue:<uuid>
  detail jsonb not null default '{}' check (pg_column_size(detail) < 8192),
  at timestamptz not null default now());
create index audit_log_organisation_idx on public.audit_log (organisation_id, id desc);
create index audit_log_venue_idx on public.audit_log (venue_id, id desc);
create index audit_log_actor_idx on public.audit_log (actor_id);

-- What a mutation answered, so that a retry gets the same. Secrets are never in it: see the code that shows one.
create table public.idempotency (
  user_id uuid not null references public.profiles (id) on delete cascade,
  key uuid not null,
  operation text not null,
  input_hash bytea not null check (octet_length(input_hash) = 32),
  result jsonb not null check (pg_column_size(result) < 8192),
  created_at timestamptz not null default now(),
  primary key (user_id, key));
