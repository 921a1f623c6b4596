-- How the people of each zone fare, as its hub told last: a latest state and no log. `told` holds how many people are
-- there, how they fare, and the last two weeks by day (cloud/src/store/fares.rs).
set lock_timeout = '5s';

create table public.zone_fairness (
  zone_id uuid primary key references public.zones (id) on delete cascade,
  venue_id uuid not null references public.venues (id) on delete cascade,
  told_at timestamptz not null,
  told jsonb not null
);
create index zone_fairness_venue on public.zone_fairness (venue_id);
alter table public.zone_fairness enable row level security;
alter table public.zone_fairness force row level security;
revoke all on public.zone_fairness from public, anon, authenticated;
grant select on public.zone_fairness to authenticated, roomtone_cloud;
grant select, insert, update on public.zone_fairness to roomtone_hub;
create policy zone_fairness_read on public.zone_fairness for select to authenticated
  using (venue_id = any (array(select private.my_venues())));
create policy zone_fairness_service on public.zone_fairness for select to roomtone_cloud using (true);
create policy zone_fairness_hub_read on public.zone_fairness for select to roomtone_hub using (venue_id = (select private.hub_venue()));
create policy zone_fairness_hub_add on public.zone_fairness for insert to roomtone_hub
  with check (venue_id = (select private.hub_venue()) and zone_id in (select z.id from public.zones z where z.venue_id = (select private.hub_venue())));
create policy zone_fairness_hub_edit on public.zone_fairness for update to roomtone_hub
  using (venue_id = (select private.hub_venue()))
  with check (venue_id = (select private.hub_venue()) and zone_id in (select z.id from public.zones z where z.venue_id = (select private.hub_venue())));
