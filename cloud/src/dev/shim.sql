-- What a Supabase project has before its first migration, for a plain Postgres: the roles, `auth` with its users and
-- functions, `extensions` with vector. For a superuser, once per database; never part of the migrations, and harmless
-- where it was run before.
--
-- Roles belong to the whole server, the rest to one database.

do $$
begin
  if not exists (select from pg_roles where rolname = 'anon') then create role anon nologin; end if;
  if not exists (select from pg_roles where rolname = 'authenticated') then create role authenticated nologin; end if;
  if not exists (select from pg_roles where rolname = 'service_role') then create role service_role nologin bypassrls; end if;
  if not exists (select from pg_roles where rolname = 'authenticator') then create role authenticator login noinherit; end if;
  if not exists (select from pg_roles where rolname = 'supabase_auth_admin') then
    create role supabase_auth_admin login noinherit createrole;
  end if;
  -- Stands for Supabase's `postgres`: it owns what the migrations make, and is no superuser.
  if not exists (select from pg_roles where rolname = 'roomtone_migrator') then
    create role roomtone_migrator login createdb createrole bypassrls;
  end if;
end $$;
grant anon, authenticated, service_role to authenticator;
-- From Postgres 16 on, who makes roles may pass on only what was given to them so.
grant anon, authenticated, service_role to roomtone_migrator with admin option;
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';

create schema if not exists extensions;
create extension if not exists vector with schema extensions;
grant usage on schema extensions to anon, authenticated, service_role;
grant all on schema extensions to roomtone_migrator with grant option;

create schema if not exists auth authorization supabase_auth_admin;
-- The foreign keys that lead to auth.users are checked as its owner, who must therefore be able to find it.
grant all on schema auth to supabase_auth_admin;
grant usage on schema auth to anon, authenticated, service_role, roomtone_migrator;
create table if not exists auth.users (
  instance_id uuid, id uuid primary key, aud varchar(255), role varchar(255), email varchar(255) unique,
  raw_app_meta_data jsonb, raw_user_meta_data jsonb, is_anonymous boolean not null default false,
  email_confirmed_at timestamptz, last_sign_in_at timestamptz, created_at timestamptz, updated_at timestamptz);
alter table auth.users add column if not exists email_confirmed_at timestamptz;
alter table auth.users owner to supabase_auth_admin;
grant select, references, trigger on auth.users to roomtone_migrator;

-- As Supabase has them: the older setting by name, then the claims as one JSON.
create or replace function auth.uid() returns uuid language sql stable as $$
  select coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'))::uuid $$;
create or replace function auth.role() returns text language sql stable as $$
  select coalesce(nullif(current_setting('request.jwt.claim.role', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'))::text $$;
create or replace function auth.email() returns text language sql stable as $$
  select coalesce(nullif(current_setting('request.jwt.claim.email', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email'))::text $$;
create or replace function auth.jwt() returns jsonb language sql stable as $$
  select coalesce(nullif(current_setting('request.jwt.claim', true), ''),
    nullif(current_setting('request.jwt.claims', true), ''))::jsonb $$;

grant usage on schema public to anon, authenticated, service_role;
grant all on schema public to roomtone_migrator with grant option;
do $$
begin
  execute format('grant create, connect, temporary on database %I to roomtone_migrator', current_database());
  execute format('alter database %I set "pgrst.db_schemas" = %L', current_database(), 'public,graphql_public');
  execute format('alter database %I set search_path = "$user", public, extensions', current_database());
end $$;
