-- How loud players are, and what a manager wants of them.

set lock_timeout = '5s';

-- What is, as its hub told last or as was ordered since; and the order: so loud, and its number, which is the time in
-- milliseconds and grows with each. A hub follows an order once.
alter table public.players
  add column volume_percent smallint check (volume_percent between 0 and 100),
  add column volume_ordered smallint check (volume_ordered between 0 and 100),
  add column volume_order bigint not null default 0 check (volume_order >= 0);
grant select (volume_percent, volume_ordered, volume_order) on public.players to authenticated, roomtone_hub, roomtone_cloud;
grant update (volume_percent) on public.players to roomtone_hub;

create function private.turn_player(p_player uuid, p_percent smallint) returns uuid
language plpgsql security definer set search_path = '' as $$
declare it public.players := private.require_player(p_player);
begin
  if it.revoked_at is not null then
    raise exception using errcode = 'RT409', message = 'this player has been revoked';
  elsif it.volume_percent is null then
    raise exception using errcode = 'RT409',
      message = 'its hub has not told how loud this player is: wait until it has, or bring the hub''s program up to date';
  end if;
  update public.players set volume_percent = p_percent, volume_ordered = p_percent,
    volume_order = greatest((extract(epoch from clock_timestamp()) * 1000)::bigint, it.volume_order + 1) where id = p_player;
  perform private.audit(null, it.venue_id, 'player.updated', 'Player:' || p_player, jsonb_build_object('volume', p_percent));
  return it.venue_id;
end $$;
revoke execute on function private.turn_player(uuid, smallint) from public, anon;
grant execute on function private.turn_player(uuid, smallint) to authenticated;

-- As before, and what was ordered of its volume.
create or replace function private.feed_players() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if coalesce(current_setting('roomtone.hub_id', true), '') <> '' then
    return null;
  end if;
  if tg_op = 'UPDATE' then
    insert into private.feed_pending (xid, scope, kind, pk, gone)
    select pg_current_xact_id(), 'venue:' || n.venue_id, 'player', n.id, false from new_rows n join old_rows o on o.id = n.id
    where (n.name, n.zone_id, n.revoked_at is null, n.volume_order)
      is distinct from (o.name, o.zone_id, o.revoked_at is null, o.volume_order) order by n.id;
  else
    insert into private.feed_pending (xid, scope, kind, pk, gone)
    select pg_current_xact_id(), f.scope, f.kind, f.pk, true
    from the_rows r join private.feed_rows f on f.scope = 'venue:' || r.venue_id and f.kind = 'player' and f.pk = r.id;
  end if;
  if found then
    perform private.feed_open();
  end if;
  return null;
end $$;
