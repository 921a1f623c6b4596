-- The hub's first schema. Rules: append only; a migration that has shipped is never edited (see ../README.md).
--
-- Ids are the 16 bytes of a UUIDv7; times are milliseconds since 1970 by the hub's steady clock, unless a column's
-- name says otherwise. Small rows that come with every vote are `without rowid`: one page per table and commit.

-- What the hub knows about itself: identity, secrets, epoch, whether it was stopped cleanly.
create table hub_state (
    key text not null primary key,
    value any not null
) strict, without rowid;

create table zones (
    id blob not null primary key check (length(id) = 16),
    name text not null unique
) strict, without rowid;

-- `row` numbers songs densely for the index and for song_vec. Songs are withdrawn, never deleted.
create table songs (
    row integer primary key,
    id blob not null unique check (length(id) = 16),
    status text not null check (status in ('draft', 'analysing', 'ready', 'failed', 'withdrawn')),
    sha256 blob not null unique check (length(sha256) = 32),
    bytes integer not null,
    content_type text not null,
    title text not null,
    artist text,
    album text,
    isrc text,
    label text,
    explicit text not null check (explicit in ('clean', 'explicit', 'unknown')),
    kind text check (kind in ('soundscape', 'instrumental')),
    duration_ms integer not null,
    bpm real,
    pulse_clarity real not null,
    key text,
    key_strength real not null,
    loudness_lufs real,
    true_peak_dbtp real,
    cue_in_ms integer not null,
    cue_out_ms integer not null,
    embedding blob check (length(embedding) = 20),
    embedding_version integer not null,
    created_at integer not null
) strict;

-- The second exact engine. The truth is songs.embedding; this is filled behind it. last_played: the latest play in any
-- zone, 0 = never. It serves venues of one zone; others search by `song_id in (subquery on zone_plays)`.
create virtual table song_vec using vec0(
    song_id integer primary key,
    embedding float[5] distance_metric=cosine,
    last_played integer,
    chunk_size=1024
);

-- When each zone last heard each song: what rest is computed from.
create table zone_plays (
    zone blob not null check (length(zone) = 16),
    song integer not null references songs (row),
    last_played_at integer not null,
    primary key (zone, song)
) strict, without rowid;

-- One phone or browser; its cookie is kept as a hash only.
create table devices (
    id blob not null primary key check (length(id) = 16),
    cookie_hash blob not null unique check (length(cookie_hash) = 32),
    listener blob not null check (length(listener) = 16),
    created_at integer not null,
    last_seen_at integer not null
) strict, without rowid;

create table sessions (
    id blob not null primary key check (length(id) = 16),
    listener blob not null check (length(listener) = 16),
    device blob not null check (length(device) = 16),
    zone blob not null check (length(zone) = 16),
    display_name text,
    status text not null check (status in ('active', 'ended', 'expired')),
    token_hash blob not null unique check (length(token_hash) = 32),
    checked_in_at integer not null,
    last_seen_at integer not null,
    expires_at integer not null
) strict, without rowid;
create index sessions_active on sessions (zone) where status = 'active';

-- The log of votes: every one that was cast, also those that a later one replaced. `counts` is 1 for the one of a
-- listener and song that counts, 0 for those before it. `unit` is what the vote added to the taste, so that replacing
-- it takes away the same, also when the song has been analysed anew since.
create table votes (
    id blob not null primary key check (length(id) = 16),
    listener blob not null check (length(listener) = 16),
    session blob not null check (length(session) = 16),
    song blob not null references songs (id),
    value integer not null check (value in (-1, 1)),
    hlc integer not null,
    cast_at integer not null,
    unit blob check (length(unit) = 40),
    counts integer not null check (counts in (0, 1))
) strict, without rowid;
create unique index votes_effective on votes (listener, song) where counts = 1;

-- The state of the fold of a listener's votes: counts and sums in fixed point, five i64 little-endian each.
create table preferences (
    listener blob not null check (length(listener) = 16),
    version integer not null,
    n_like integer not null,
    sum_like blob not null check (length(sum_like) = 40),
    n_dislike integer not null,
    sum_dislike blob not null check (length(sum_dislike) = 40),
    updated_at integer not null,
    primary key (listener, version)
) strict, without rowid;

-- The recommender's decisions, with the terms and the seed that replay them.
create table picks (
    id blob not null primary key check (length(id) = 16),
    zone blob not null check (length(zone) = 16),
    song blob not null references songs (id),
    seed integer not null,
    terms text not null,
    decided_at integer not null
) strict, without rowid;

-- Plays: one song on one player.
create table songs_playing (
    id blob not null primary key check (length(id) = 16),
    player blob not null check (length(player) = 16),
    zone blob not null check (length(zone) = 16),
    song blob not null references songs (id),
    pick blob check (length(pick) = 16),
    started_at integer not null,
    ended_at integer,
    ended text check (ended in ('finished', 'skipped', 'failed', 'stopped')),
    heard_ms integer,
    tier text not null check (tier in ('hub', 'plan', 'cache'))
) strict, without rowid;
create index songs_playing_by_zone on songs_playing (zone, started_at);
create index songs_playing_open on songs_playing (player) where ended_at is null;

create table players (
    id blob not null primary key check (length(id) = 16),
    name text not null unique,
    tag text,
    zone blob not null check (length(zone) = 16),
    token_hash blob not null unique check (length(token_hash) = 32),
    status text not null check (status in ('active', 'idle', 'offline')),
    current_song blob check (length(current_song) = 16),
    last_seen_at integer,
    volume real not null,
    silence_ms integer not null default 0,
    created_at integer not null
) strict, without rowid;

create table skip_votes (
    pick blob not null check (length(pick) = 16),
    listener blob not null check (length(listener) = 16),
    cast_at integer not null,
    primary key (pick, listener)
) strict, without rowid;

-- The first result of a request that may be repeated. `owner` is who asked (zero where nobody is known yet), so that
-- nobody can fetch another's result with a guessed key. Results are small (of a vote 56 bytes): one comes with every
-- vote. Which bytes they are is the kind's own affair, see hub/src/store/{idempotency,ballots}.rs.
create table idempotency (
    owner blob not null check (length(owner) = 16),
    key blob not null check (length(key) = 16),
    kind text not null,
    result blob not null,
    created_at integer not null,
    primary key (owner, key)
) strict, without rowid;

-- Rate limits (GCRA): the theoretical arrival time of each key.
create table limits (
    key text not null primary key,
    tat_ms integer not null
) strict, without rowid;

-- Every local fact, in the order in which it happened. AUTOINCREMENT, so that a seq is never used twice, also after
-- the acknowledged tail was purged. chain = blake3(chain of the row before, payload).
create table outbox (
    seq integer primary key autoincrement,
    epoch integer not null,
    op_id blob not null check (length(op_id) = 16),
    kind text not null,
    payload blob not null,
    payload_hash blob not null check (length(payload_hash) = 32),
    hlc integer not null,
    boot_id blob not null check (length(boot_id) = 16),
    mono_ms integer not null,
    wall_ms integer not null,
    chain blob not null check (length(chain) = 32)
) strict;

-- When a media file was last compared with its name.
create table media_checks (
    sha256 blob not null primary key check (length(sha256) = 32),
    checked_at integer not null,
    sound integer not null check (sound in (0, 1))
) strict, without rowid;
