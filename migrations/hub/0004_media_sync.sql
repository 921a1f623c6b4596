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

-- Files that were put to the cloud, which has not said yet what it makes of them: they are asked after before they are put
-- again, also after a restart.
create table uploads_put (
    sha256 blob not null primary key check (length(sha256) = 32),
    put_at integer not null
) strict, without rowid;

-- Files that the cloud refused, and why: they stay here, a person has to look at them, and they are offered once a day. What it has is told by
-- `songs.stored`.
create table uploads_refused (
    sha256 blob not null primary key check (length(sha256) = 32),
    reason text not null,
    refused_at integer not null
) strict, without rowid;
