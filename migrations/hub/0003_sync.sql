-- What the cloud told this hub, and how far both have told each other everything.

-- Which fact a vote is: a taste that comes down says up to which fact it has this hub's votes.
alter table votes add column fact integer;
create index votes_replaced on votes (listener, song) where counts = 0;

-- Scopes of the cloud's feed, and where each was read to.
create table sync_scopes (
    id integer primary key,
    scope text not null unique,
    seq integer not null default 0,
    tag integer not null default 0,
    -- The name of what is being collected aside.
    collecting text
) strict;

-- Up to which revision of its columns each kind was taken.
create table sync_revisions (
    kind text not null primary key,
    revision integer not null
) strict, without rowid;

-- Every row of a feed with its version (-1: it has to be fetched again) and the sum of its content, blake3 cut to 16
-- bytes. The content of songs stands in `songs`, that of a venue's songs in `enabled`, all other in `body`. A row without
-- a sum is one that this program does not understand: its version counts all the same.
create table down_rows (
    kind text not null,
    pk blob not null check (length(pk) = 16),
    scope integer not null,
    seq integer not null,
    sum blob check (length(sum) = 16),
    enabled integer check (enabled in (0, 1)),
    body blob,
    primary key (kind, pk, scope)
) strict, without rowid;

-- Rows that were collected and are not in place yet, many in one message.
create table sync_stage (
    scope integer not null,
    part integer not null,
    rows blob not null,
    primary key (scope, part)
) strict;

-- The catalogue's name of a song whose file was here before under a name of this hub's own.
create table aliases (
    canonical blob not null primary key check (length(canonical) = 16),
    local blob not null check (length(local) = 16)
) strict, without rowid;

-- Songs: `told` is the cloud's word on the song, `enabled` that on whether this venue plays it; null where it has said
-- nothing. `withdrawn_fact`: the fact by which this hub withdrew it, until the cloud's word is a newer one. `stored`:
-- the cloud has its file. `status` is what follows from all of them.
alter table songs add column born_here integer not null default 1 check (born_here in (0, 1));
alter table songs add column told text check (told in ('draft', 'analysing', 'ready', 'failed', 'withdrawn'));
alter table songs add column enabled integer check (enabled in (0, 1));
alter table songs add column withdrawn_fact integer;
alter table songs add column stored integer not null default 0 check (stored in (0, 1));

-- Facts that the cloud keeps apart. A person decides what becomes of them.
create table dead_letters (
    op_id blob not null primary key check (length(op_id) = 16),
    seq integer not null,
    kind text not null,
    payload blob not null,
    hlc integer not null,
    outcome text not null check (outcome in ('parked', 'rejected')),
    reason text not null,
    told_at integer not null
) strict, without rowid;
