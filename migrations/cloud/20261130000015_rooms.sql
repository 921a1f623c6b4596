-- What the managers' page shows of a room, and whether guests reach its hub.
set lock_timeout = '5s';

-- What comes next, also where the licence or the zone hides it from listeners: for the venue's staff alone.
alter table private.rooms_told add column ahead uuid[] not null default '{}' check (cardinality(ahead) <= 5);

revoke select on private.rooms_told from roomtone_guest;
grant select (venue_id, zone_id, place, told, told_at) on private.rooms_told to roomtone_guest;
grant select (venue_id, zone_id, place, told, told_at, ahead) on private.rooms_told to authenticated;
create policy rooms_told_read on private.rooms_told for select to authenticated
  using (venue_id = any (array(select private.my_venues())));

-- Guests come by the cloud's page only: their phones seem not to reach this hub, as it told last.
alter table public.hubs add column guests_cut_off boolean not null default false;
grant select (guests_cut_off) on public.hubs to authenticated;
grant update (guests_cut_off) on public.hubs to roomtone_hub;
