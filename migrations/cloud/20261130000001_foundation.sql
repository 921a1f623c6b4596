-- Schemas, the extension, our roles.
--
-- public     what a Supabase project exposes: the older plan's names and ours beside them
-- private    functions that check who calls them, and bookkeeping; never exposed
-- partitions the leaves of the partitioned tables: a partition is a table of its own for grants, so it stands where
--            nobody has any
-- extensions where Supabase keeps extensions

set lock_timeout = '5s';

create schema if not exists extensions;
create schema if not exists private;
create schema if not exists partitions;   -- leaf partitions live here, not in public
do $$
declare s text;
begin
  select n.nspname into s from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector';
  if s is null then
    create extension vector with schema extensions;
  elsif s <> 'extensions' then
    raise exception 'extension vector is in schema %, expected extensions; run: alter extension vector set schema extensions', s;
  end if;
  -- What a hub may do, and what the cloud's own work (partitions, analysis, exports) may do. Nobody logs in as either:
  -- an operator makes a login with `create role app login password '...' noinherit in role roomtone_cloud`.
  if not exists (select from pg_catalog.pg_roles where rolname = 'roomtone_hub') then
    create role roomtone_hub nologin;
  end if;
  if not exists (select from pg_catalog.pg_roles where rolname = 'roomtone_cloud') then
    create role roomtone_cloud nologin noinherit;
  end if;
end $$;
revoke all on schema private, partitions from public;
grant authenticated, roomtone_hub to roomtone_cloud;
grant usage on schema private, public, extensions to authenticated, roomtone_hub, roomtone_cloud;
do $$
declare s text;
begin
  -- Where the schema is somebody else's, a grant that does nothing is only a warning.
  foreach s in array array['public', 'extensions'] loop
    if not has_schema_privilege('roomtone_hub', s, 'usage') or not has_schema_privilege('roomtone_cloud', s, 'usage') then
      raise exception 'schema % is not yours to grant; as its owner, run: grant usage on schema % to % with grant option', s, s, current_user;
    end if;
  end loop;
end $$;
alter default privileges in schema private revoke execute on functions from public; -- no-op unless global; see explicit revokes
create function private.uuid7(at timestamptz default clock_timestamp()) returns uuid
language sql volatile parallel safe set search_path = '' as $$
  select encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    placing substring(int8send((extract(epoch from at) * 1000)::bigint) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid $$;
create function private.uuid7_floor(at timestamptz) returns uuid   -- smallest uuidv7 of an instant: partition bounds, range scans
language sql immutable parallel safe set search_path = '' as $$
  select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid $$;
create function private.uuid7_time(id uuid) returns timestamptz
language sql immutable parallel safe set search_path = '' as $$
  select to_timestamp(('x' || lpad(left(replace(id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0) $$;
create function private.stamp() returns trigger language plpgsql set search_path = '' as $$
begin
  new.updated_at := clock_timestamp();
  return new;
end $$;
