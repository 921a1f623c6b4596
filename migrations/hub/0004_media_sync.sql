-- People who sign in with a ticket, and how far the files of songs have gone to the cloud.

-- Tickets that were taken: each counts once. They are over after minutes; what is older is forgotten.
create table tickets (
    id blob not null primary key check (length(id) = 16),
    taken_at integer not null
) strict, without rowid;

-- Listeners who are profiles of the cloud, and not guests: their votes are nobody's to claim.
create table profiles (
    listener blob not null primary key check (length(listener) = 16),
    signed_in_at integer not null
) strict, without rowid;

-- Files that the cloud refused, and why: they stay here, and a person has to look at them. What it has is told by
-- `songs.stored`.
create table uploads_refused (
    sha256 blob not null primary key check (length(sha256) = 32),
    reason text not null,
    refused_at integer not null
) strict, without rowid;
