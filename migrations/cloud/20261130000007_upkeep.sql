-- Roll-ups: what is kept of the facts when their weeks are dropped. Called by the cloud, one replica at a time.

set lock_timeout = '5s';

-- What came in since the last time. Facts arrive in the order of this column, so a few kilobytes of index do.
create index sessions_received_idx on public.sessions using brin (received_at);
create index votes_received_idx on public.votes using brin (received_at);
create index songs_playing_received_idx on public.songs_playing using brin (received_at);

-- Up to when everything that was received is rolled up, and before which days weeks of each kind are dropped.
create table private.upkeep (
  task text primary key,
  done_to timestamptz not null);
alter table private.upkeep enable row level security;
revoke all on private.upkeep from public, anon, authenticated, service_role;
grant select, insert, update on private.upkeep to roomtone_cloud;
create policy upkeep_read on private.upkeep for select to roomtone_cloud using (true);
create policy upkeep_add on private.upkeep for insert to roomtone_cloud with check (task is not null);
create policy upkeep_edit on private.upkeep for update to roomtone_cloud using (true) with check (task is not null);

-- The venues' own days of which a fact was received since then: also of long ago, where a hub has been away.
create function private.touched_days(p_since timestamptz) returns table (venue_id uuid, day date)
language sql stable security definer set search_path = '' as $$
  select distinct f.venue_id, (f.at at time zone v.timezone)::date
  from (select venue_id, vote_time as at from public.votes where received_at >= p_since
        union all select venue_id, checked_in_at from public.sessions where received_at >= p_since
        union all select venue_id, played_at from public.songs_playing where received_at >= p_since) f
  join public.venues v on v.id = f.venue_id
  order by 2, 1 $$;

-- Counts those days anew. A day before p_*_from stays as it is: its facts of that kind are gone. Null: none ever went.
--
-- Day by day in a loop: so each statement has plain bounds, and Postgres reads one venue in one or two weeks instead of
-- thinking of something cleverer. Ids say when by themselves, within a day of what the fact says; but a play's is made by
-- its player, whose clock may be any.
create function private.roll_up(p_venues uuid[], p_days date[], p_sessions_from date, p_votes_from date, p_plays_from date) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare d record;
begin
  for d in
    select v.id as venue, t.day, t.day::timestamp at time zone v.timezone as since, (t.day + 1)::timestamp at time zone v.timezone as before,
      private.uuid7_floor(t.day::timestamp at time zone v.timezone - interval '1 day') as first_id,
      private.uuid7_floor((t.day + 1)::timestamp at time zone v.timezone + interval '1 day') as last_id
    from unnest(p_venues, p_days) t (venue, day) join public.venues v on v.id = t.venue
  loop
    if p_votes_from is null or d.day >= p_votes_from then
      -- Of several votes of one person for one song the last one counts.
      with counted as (
        select song_id, count(*) filter (where vote_value = 1) as likes, count(*) filter (where vote_value = -1) as dislikes
        from (select distinct on (song_id, coalesce(user_id, guest_id, session_id, id)) song_id, vote_value
              from public.votes
              where venue_id = d.venue and id >= d.first_id and id < d.last_id and vote_time >= d.since and vote_time < d.before
              order by song_id, coalesce(user_id, guest_id, session_id, id), vote_time desc, id desc) last
        group by song_id),
      per_song as (
        insert into public.venue_song_daily as s (venue_id, day, song_id, likes, dislikes)
        select d.venue, d.day, song_id, likes, dislikes from counted
        on conflict (venue_id, day, song_id) do update set likes = excluded.likes, dislikes = excluded.dislikes)
      insert into public.venue_daily as v (venue_id, day, likes, dislikes)
      select d.venue, d.day, sum(likes), sum(dislikes) from counted having count(*) > 0
      on conflict (venue_id, day) do update set likes = excluded.likes, dislikes = excluded.dislikes;
    end if;
    if p_plays_from is null or d.day >= p_plays_from then
      with counted as (
        select song_id, count(*) as plays, coalesce(sum(heard_ms), 0) as heard_ms,
          coalesce(sum(heard_ms) filter (where tier = 'plan'), 0) as plan, coalesce(sum(heard_ms) filter (where tier = 'cache'), 0) as cache
        from public.songs_playing
        where venue_id = d.venue and played_at >= d.since and played_at < d.before
        group by song_id),
      per_song as (
        insert into public.venue_song_daily as s (venue_id, day, song_id, plays, heard_ms)
        select d.venue, d.day, song_id, plays, heard_ms from counted
        on conflict (venue_id, day, song_id) do update set plays = excluded.plays, heard_ms = excluded.heard_ms)
      insert into public.venue_daily as v (venue_id, day, plays, songs, plan_seconds, cache_seconds)
      select d.venue, d.day, sum(plays), count(*), div(sum(plan), 1000), div(sum(cache), 1000) from counted having count(*) > 0
      on conflict (venue_id, day) do update set plays = excluded.plays, songs = excluded.songs,
        plan_seconds = excluded.plan_seconds, cache_seconds = excluded.cache_seconds;
    end if;
    if p_sessions_from is null or d.day >= p_sessions_from then
      insert into public.venue_daily as v (venue_id, day, listeners)
      select d.venue, d.day, count(distinct coalesce(user_id, guest_id, id)) from public.sessions
      where venue_id = d.venue and id >= d.first_id and id < d.last_id and checked_in_at >= d.since and checked_in_at < d.before
      having count(*) > 0
      on conflict (venue_id, day) do update set listeners = excluded.listeners;
    end if;
  end loop;
end $$;

-- Likes and dislikes of a venue in each hour, day or week of its own calendar, counted as roll_up does: of several votes
-- of one person for one song on one day the last one counts. Who voted is for nobody to see, so the caller cannot count.
create function private.count_votes(p_venue uuid, p_from timestamptz, p_to timestamptz, p_every text)
returns table (at timestamptz, likes bigint, dislikes bigint)
language sql stable security definer set search_path = '' as $$
  select date_trunc(case when p_every in ('hour', 'day', 'week') then p_every end, private.uuid7_time(l.id) at time zone l.timezone)
      at time zone l.timezone,
    count(*) filter (where l.vote_value = 1), count(*) filter (where l.vote_value = -1)
  from (select distinct on (b.song_id, coalesce(b.user_id, b.guest_id, b.session_id, b.id), (b.vote_time at time zone v.timezone)::date)
          b.id, b.vote_value, v.timezone
        from public.votes b join public.venues v on v.id = b.venue_id
        where b.venue_id = p_venue and p_venue = any (array(select private.my_venues()))
          and b.id >= private.uuid7_floor(p_from) and b.id < private.uuid7_floor(p_to)
        order by b.song_id, coalesce(b.user_id, b.guest_id, b.session_id, b.id), (b.vote_time at time zone v.timezone)::date,
          b.vote_time desc, b.id desc) l
  group by 1 $$;
revoke all on function private.count_votes(uuid, timestamptz, timestamptz, text) from public, anon, authenticated, service_role;
grant execute on function private.count_votes(uuid, timestamptz, timestamptz, text) to authenticated;

-- What nobody asks for any more: answers to requests that are not repeated after a week, and hashes of facts that hubs
-- themselves have forgotten (they keep what was acknowledged for 35 days).
create function private.sweep(p_now timestamptz) returns bigint
language sql volatile security definer set search_path = '' as $$
  with answers as (delete from public.idempotency where created_at < p_now - interval '7 days' returning 1),
  hashes as (delete from private.sync_received where received_at < p_now - interval '40 days' returning 1)
  select (select count(*) from answers) + (select count(*) from hashes) $$;

-- Facts for which there was no week are as personal as the others, and no week of theirs is ever dropped: they go by
-- when they were received, which no hub's clock says.
create function private.forget_strays(p_table text, p_before date) returns bigint
language plpgsql volatile security definer set search_path = '' as $$
declare v_gone bigint;
begin
  if p_table not in ('sessions', 'votes', 'songs_playing') then raise exception 'there are no partitions of %', p_table; end if;
  execute format('delete from partitions.%I where received_at < $1', p_table || '_default') using p_before::timestamp at time zone 'UTC';
  get diagnostics v_gone = row_count;
  return v_gone;
end $$;

revoke all on function private.touched_days(timestamptz), private.roll_up(uuid[], date[], date, date, date), private.sweep(timestamptz),
  private.forget_strays(text, date)
  from public, anon, authenticated, service_role;
grant execute on function private.touched_days(timestamptz), private.roll_up(uuid[], date[], date, date, date), private.sweep(timestamptz),
  private.forget_strays(text, date)
  to roomtone_cloud;
