-- What decisions were made from, and how people fared by them.

-- Who was there, what they wanted and had had, and the zone's settings: with the pick's seed, the history and the
-- catalogue it is all that a decision depends on, so that it can be made again, as it was or under another setting. One
-- MessagePack (hub/src/store/occasions.rs); kept for 15 days. In the order of time, as picks are made.
create table pick_occasions (
    zone blob not null check (length(zone) = 16),
    decided_at integer not null,
    pick blob not null check (length(pick) = 16),
    occasion blob not null,
    primary key (zone, decided_at, pick)
) strict;

-- How people fared on a day that is over, by the venue's calendar. `day` counts from 1970-01-01. A day on which nobody
-- stayed for long enough has no figures.
create table fairness_days (
    zone blob not null check (length(zone) = 16),
    day integer not null,
    visits integer not null,
    songs integer not null,
    mean real,
    worst real,
    longest_drought integer,
    primary key (zone, day)
) strict, without rowid;
