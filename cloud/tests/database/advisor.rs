//! What Supabase's database advisor would say (its lints, as far as the catalogue can answer them): nothing. And for
//! each lint, that it would find what it looks for.

use rstest::rstest;
use sqlx::{Connection as _, PgConnection};

use crate::postgres::{OLD_PROJECT, Postgres, SHIM, TestDatabase, Version, connect, run};

/// A lint: its number in the advisor, a query whose rows are findings, and a hole that it must find.
struct Lint(&'static str, &'static str, &'static str);

/// Ours are in these schemas.
const LINTS: &[Lint] = &[
    Lint(
        "0001 foreign keys without an index",
        "select c.conrelid::regclass || '.' || c.conname from pg_constraint c
         where c.contype = 'f' and c.connamespace in ('public'::regnamespace, 'private'::regnamespace)
           and not exists (select from pg_index i where i.indrelid = c.conrelid
             and (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey)",
        "create table public.hole (id int primary key, song_id uuid references public.songs (id));
         alter table public.hole enable row level security",
    ),
    Lint(
        "0002 users are exposed by a view",
        "select c.oid::regclass::text from pg_class c join pg_rewrite r on r.ev_class = c.oid
         join pg_depend d on d.objid = r.oid and d.refobjid = 'auth.users'::regclass
         where c.relkind in ('v', 'm') and c.relnamespace = 'public'::regnamespace",
        "create view public.hole as select email from auth.users",
    ),
    Lint(
        "0003 policies that ask who asks once per row",
        "select polrelid::regclass || '.' || polname from pg_policy,
           lateral (select concat(pg_get_expr(polqual, polrelid), ' ', pg_get_expr(polwithcheck, polrelid)) as text) e
         where regexp_replace(e.text, 'SELECT (auth\\.|current_setting|private\\.)', '', 'gi') ~* '(auth\\.(uid|jwt|role|email)\\(|current_setting\\(|private\\.(is_admin|my_\\w+|hub_\\w+)\\()'",
        "create policy hole on public.zones for delete to authenticated using (auth.uid() is not null)",
    ),
    Lint(
        "0004 tables without a primary key",
        "select c.oid::regclass::text from pg_class c where c.relkind in ('r', 'p')
           and c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
           and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)",
        "create table public.hole (id int); alter table public.hole enable row level security",
    ),
    Lint(
        "0006 two policies for one table, role and action",
        "select p.polrelid::regclass::text || ' ' || a.action || ' ' || r.oid from pg_policy p
           cross join lateral unnest(p.polroles) r (oid)
           cross join lateral unnest(case p.polcmd when '*' then array['r', 'a', 'w', 'd'] else array[p.polcmd::text] end) a (action)
         where p.polpermissive group by p.polrelid, a.action, r.oid having count(*) > 1",
        "create policy hole on public.zones for all to authenticated using (venue_id is null)",
    ),
    Lint(
        "0007 0013 0023 tables without row level security",
        "select oid::regclass::text from pg_class where relkind in ('r', 'p') and not relrowsecurity
           and relnamespace in ('public'::regnamespace, 'private'::regnamespace) and relname <> '_sqlx_migrations'",
        "create table public.hole (id int primary key, token text)",
    ),
    Lint(
        "0008 row level security without a policy",
        "select c.oid::regclass::text from pg_class c where relkind in ('r', 'p') and relrowsecurity
           and relnamespace in ('public'::regnamespace, 'private'::regnamespace)
           and not exists (select from pg_policy where polrelid = c.oid)",
        "create table public.hole (id int primary key); alter table public.hole enable row level security",
    ),
    Lint(
        "0009 two indexes that are the same",
        "select string_agg(indexrelid::regclass::text, ' ') from pg_index join pg_class on pg_class.oid = indrelid
         where relnamespace in ('public'::regnamespace, 'private'::regnamespace)
         group by indrelid, indkey::text, coalesce(pg_get_expr(indpred, indrelid), ''), coalesce(pg_get_expr(indexprs, indrelid), ''),
           (select relam from pg_class where oid = indexrelid), indoption::text
         having count(*) > 1",
        "create index hole on public.venue_songs (song_id)",
    ),
    Lint(
        "0010 views that see what their owner sees",
        "select oid::regclass::text from pg_class where relkind = 'v' and relnamespace = 'public'::regnamespace
           and not coalesce(reloptions::text ~* 'security_invoker=(true|on|1)', false)",
        "create view public.hole as select * from public.songs",
    ),
    Lint(
        "0011 functions whose search path the caller sets",
        "select p.oid::regprocedure::text from pg_proc p where pronamespace in ('public'::regnamespace, 'private'::regnamespace)
           and not exists (select from pg_depend where objid = p.oid and deptype = 'e')
           and not exists (select from unnest(proconfig) setting where setting = 'search_path=\"\"')",
        "create function private.hole() returns int language sql as 'select 1'; revoke all on function private.hole() from public",
    ),
    Lint(
        "0014 extensions in public",
        "select extname::text from pg_extension where extnamespace = 'public'::regnamespace",
        "alter extension vector set schema public",
    ),
    Lint(
        "0015 policies that trust what users write about themselves",
        "select polrelid::regclass || '.' || polname from pg_policy
         where concat(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) ~ 'user_metadata'",
        "create policy hole on public.zones for delete to authenticated
           using ((select auth.jwt()) -> 'user_metadata' ->> 'role' = 'admin')",
    ),
    Lint(
        "0016 0017 materialised views and foreign tables in public",
        "select oid::regclass::text from pg_class where relkind in ('m', 'f') and relnamespace = 'public'::regnamespace",
        "create materialized view public.hole as select 1 as one",
    ),
    Lint(
        "0018 columns that an upgrade of Postgres would not survive",
        "select attrelid::regclass || '.' || attname from pg_attribute join pg_class c on c.oid = attrelid
         where attnum > 0 and c.relkind in ('r', 'p') and c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
           and atttypid in ('regclass'::regtype, 'regproc'::regtype, 'regprocedure'::regtype, 'regoper'::regtype, 'regconfig'::regtype)",
        "create table public.hole (id regproc primary key); alter table public.hole enable row level security",
    ),
    Lint(
        "0021 unique foreign keys to users",
        "select conname::text from pg_constraint c where contype = 'f' and confrelid = 'auth.users'::regclass
           and conrelid <> 'public.profiles'::regclass
           and exists (select from pg_index i where i.indrelid = c.conrelid and indisunique and (indkey::int2[])[0:0] = conkey)",
        "create table public.hole (id uuid primary key references auth.users (id)); alter table public.hole enable row level security",
    ),
    Lint(
        "0024 policies that are always true",
        "select polrelid::regclass || '.' || polname from pg_policy where polcmd <> 'r' and (
           pg_get_expr(polwithcheck, polrelid) = 'true'
           or (polcmd in ('d', '*') and pg_get_expr(polqual, polrelid) = 'true')
           or (polcmd = 'w' and pg_get_expr(polqual, polrelid) = 'true' and polwithcheck is null))",
        "create policy hole on public.zones for delete to authenticated using (true)",
    ),
    Lint(
        "0028 0029 functions that see more than their caller, for everybody",
        "select p.oid::regprocedure::text from pg_proc p where prosecdef and (
           pronamespace = 'public'::regnamespace
           or pronamespace = 'private'::regnamespace and has_function_privilege('anon', p.oid, 'execute'))",
        "create function public.hole() returns int language sql security definer set search_path = '' as 'select 1'",
    ),
    Lint(
        "grants to anonymous ones and to everybody",
        "select c.oid::regclass::text from pg_class c, aclexplode(c.relacl) a
         where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'partitions'::regnamespace)
           and a.grantee in (0, 'anon'::regrole)
         union all
         select p.oid::regprocedure::text from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
         where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
           and a.grantee in (0, 'anon'::regrole) and not exists (select from pg_depend where objid = p.oid and deptype = 'e')",
        "create function private.hole() returns int language sql set search_path = '' as 'select 1'",
    ),
    Lint(
        "grants on the leaves of partitioned tables",
        "select c.oid::regclass::text from pg_class c, aclexplode(c.relacl) a
         where c.relnamespace = 'partitions'::regnamespace and a.grantee <> c.relowner
         union all
         select inhrelid::regclass::text from pg_inherits join pg_class on oid = inhrelid
         where relkind = 'r' and relnamespace <> 'partitions'::regnamespace",
        "grant select on partitions.votes_default to authenticated",
    ),
    Lint(
        "policies in the slow form",
        "select polrelid::regclass || '.' || polname from pg_policy
         where concat(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) ~ 'IN \\( SELECT private\\.'",
        "create policy hole on public.zones for delete to authenticated using (venue_id in (select private.my_venues()))",
    ),
];

async fn findings(conn: &mut PgConnection, lint: &Lint) -> Vec<String> {
    sqlx::query_scalar(lint.1).fetch_all(conn).await.unwrap_or_else(|error| panic!("{}: {error}", lint.0))
}

/// A database to which the migrations were applied in a project that hands new tables to everybody.
async fn old_project(version: Version) -> TestDatabase {
    let database = Postgres::start(version).empty().await;
    let mut conn = database.superuser().await;
    run(&mut conn, SHIM).await;
    run(&mut conn, OLD_PROJECT).await;
    roomtone_cloud::migrations::run(&database.migrator_url).await.expect("the migrations");
    database
}

#[rstest]
#[tokio::test]
async fn the_advisor_has_nothing_to_say(
    #[values(Version::V16, Version::V18)] version: Version,
    #[values(false, true)] old: bool,
) {
    let database = if old { old_project(version).await } else { Postgres::start(version).database().await };
    let mut conn = database.superuser().await;
    for lint in LINTS {
        assert_eq!(findings(&mut conn, lint).await, Vec::<String>::new(), "{}", lint.0);
    }
}

#[tokio::test]
async fn the_advisor_would_find_a_hole() {
    let database = Postgres::start(Version::V18).database().await;
    let mut conn = database.superuser().await;
    for lint in LINTS {
        let before = findings(&mut conn, lint).await;
        let mut work = conn.begin().await.unwrap();
        run(&mut work, lint.2).await;
        let found = findings(&mut work, lint).await;
        assert!(found.len() > before.len(), "{}: {found:?}", lint.0);
        work.rollback().await.unwrap();
    }
}

/// Where the shim's own defaults are handed out again: what the migrations took away stays away.
#[tokio::test]
async fn an_old_projects_defaults_reach_nothing_of_ours() {
    let database = old_project(Version::V16).await;
    let mut conn = connect(&database.superuser_url).await;
    run(&mut conn, "set role anon").await;
    for table in ["players", "roles", "songs", "preferences", "votes"] {
        let sql = format!("select from public.{table}");
        let error = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut conn).await.unwrap_err();
        assert!(error.to_string().contains("permission denied"), "{table}: {error}");
    }
}
