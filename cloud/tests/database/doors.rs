//! The doors beside the functions: what is done by a function, with a line in the log, is not done past it by somebody
//! who speaks to the tables; and what a hub, or whoever signs up, only claims is not believed.

use roomtone_cloud::migrations;
use roomtone_cloud::store::songs_playing::{Range, report, tell};
use roomtone_cloud::store::zones;
use roomtone_schema::VenueId;
use rstest::rstest;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::postgres::{Postgres, SHIM, TestDatabase, Version, connect, run};
use crate::tenants::Asker::{self, Owner, Service};
use crate::tenants::settle;

async fn tenants() -> (TestDatabase, PgConnection) {
    let database = Postgres::start(Version::V18).database().await;
    let conn = settle(&database).await;
    (database, conn)
}

/// With the ids of a tenant written out: `{1}0020` is the venue of the first.
fn with_ids(sql: &str) -> String {
    ["1", "2"].iter().fold(sql.to_owned(), |sql, tenant| {
        sql.replace(&format!("{{{tenant}}}"), &format!("00000000-0000-7000-8000-0000000{tenant}"))
    })
}

/// What an asker of tenant 1 gets: the first column as text, or the code of the error. What was done stays.
async fn ask(conn: &mut PgConnection, asker: Asker, sql: &str) -> Result<Option<String>, String> {
    let mut work = conn.begin().await.expect("a transaction");
    run(&mut work, &asker.become_sql(1)).await;
    let answer = sqlx::query_scalar::<_, Option<String>>(AssertSqlSafe(with_ids(sql)));
    match answer.fetch_optional(&mut *work).await {
        Ok(answer) => {
            work.commit().await.expect("it is kept");
            Ok(answer.flatten())
        }
        Err(error) => {
            let code = error.as_database_error().and_then(|error| error.code().map(String::from));
            Err(code.unwrap_or_else(|| error.to_string()))
        }
    }
}

async fn one(conn: &mut PgConnection, sql: &str) -> Option<String> {
    let sql = with_ids(sql);
    let answer = sqlx::query_scalar(AssertSqlSafe(sql.clone())).fetch_one(conn).await;
    answer.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

#[rstest]
#[case("insert into public.zones (venue_id, name) values ('{1}0020', 'New')")]
#[case("update public.zones set settings = '{\"nonsense\": 1}' where id = '{1}0030'")]
#[case("update public.venues set archived_at = now() where id = '{1}0020'")]
#[case("update public.organisations set name = 'New' where id = '{1}0010'")]
#[case("update public.hubs set name = 'New' where id = '{1}0040'")]
#[case("update public.players set zone_id = null where id = '{1}0070'")]
#[case("update public.songs set status = 'withdrawn' where id = '{1}0050'")]
#[case("update public.idempotency set result = '{}' where user_id = '{1}0001'")]
#[case(
    "insert into public.idempotency (user_id, key, operation, input_hash, result, created_at)
    values ('{1}0001', gen_random_uuid(), 'x', sha256('x'), '{}', '2999-01-01')"
)]
#[case(
    "insert into public.history_exports (venue_id, user_id, range_from, range_to, format)
    values ('{1}0020', '{1}0001', '-infinity', now(), 'csv')"
)]
#[tokio::test]
async fn nobody_goes_past_the_functions(#[case] sql: &str) {
    let (_database, mut conn) = tenants().await;
    // The superuser may: it is no mistake of the statement's.
    let mut work = conn.begin().await.expect("a transaction");
    sqlx::query(AssertSqlSafe(with_ids(sql)))
        .execute(&mut *work)
        .await
        .expect("a statement that can be meant");
    work.rollback().await.expect("nothing is kept");
    assert_eq!(ask(&mut conn, Owner, sql).await, Err("42501".to_owned()));
}

#[rstest]
#[case("private.archive_venue('{1}0020', true)", "venue.archived")]
#[case("private.create_zone('{1}0039', '{1}0020', 'New', '{}')", "zone.created")]
#[case("private.change_zone('{1}0030', 'New', '{}', '{}')", "zone.updated")]
#[case("private.archive_zone('{1}0030')", "zone.archived")]
#[case("private.withdraw_song('{1}0050', true)", "song.withdrawn")]
#[case(
    "private.create_export('{1}0099', '{1}0020', now() - interval '1 day', now(), 'report', 'csv')",
    "export.created"
)]
#[case("private.rename_hub('{1}0040', 'New')", "hub.renamed")]
#[case("private.open_guest_page('{1}0020')", "guest_page.opened")]
#[case("private.close_guest_page('{1}0020')", "guest_page.closed")]
#[case("private.edit_player('{1}0070', 'New', null)", "player.updated")]
#[case(
    "private.open_pairing('{1}0131', '{1}0040', null, 'Bar', null, '12345678', 300, 60)",
    "pairing.opened"
)]
#[case("private.close_pairing('{1}0130')", "pairing.closed")]
#[case("private.turn_player('{1}0070', 40::smallint)", "player.updated")]
#[tokio::test]
async fn each_function_leaves_a_line(#[case] call: &str, #[case] action: &str) {
    let (_database, mut conn) = tenants().await;
    ask(&mut conn, Owner, &format!("select {call}::text")).await.expect("an owner may");
    let line = "select action from public.audit_log where actor_id = '{1}0001' order by id desc limit 1";
    assert_eq!(one(&mut conn, line).await.as_deref(), Some(action));
}

#[tokio::test]
async fn reports_are_bounded() {
    let (_database, mut conn) = tenants().await;
    let order = async |conn: &mut PgConnection, from: &str| {
        let call =
            format!("private.create_export(gen_random_uuid(), '{{1}}0020', {from}, now(), 'plays', 'csv')");
        ask(conn, Owner, &format!("select {call}::text")).await.map(drop)
    };
    for wrong in ["now() - interval '368 days'", "'-infinity'", "now()", "null"] {
        assert_eq!(order(&mut conn, wrong).await, Err("RT422".to_owned()), "{wrong}");
    }
    // One waits already.
    for _ in 0..4 {
        assert_eq!(order(&mut conn, "now() - interval '367 days'").await, Ok(()));
    }
    assert_eq!(order(&mut conn, "now() - interval '1 day'").await, Err("RT429".to_owned()));
}

#[tokio::test]
async fn a_zone_that_cannot_be_read_has_the_defaults() {
    let (database, mut conn) = tenants().await;
    let venue = VenueId(with_ids("{1}0020").parse().expect("an id"));
    run(
        &mut conn,
        &with_ids(
            "update public.zones set settings = '{\"nonsense\": 1}' where id = '{1}0030';
             insert into public.zones (venue_id, name, settings) values ('{1}0020', 'main', '{\"fairness\": 0.25}')",
        ),
    )
    .await;
    let mut work = database.open().as_service().await.expect("a transaction");
    let found = zones::of_venues(&mut work, &[venue]).await.expect("the zones");
    let fairness: Vec<_> = found.iter().map(|zone| (zone.name.as_str(), zone.settings.0.fairness)).collect();
    let default = roomtone_schema::venue::ZoneSettings::default().fairness;
    assert_eq!(fairness, [("main", 0.25), ("Room", default)]);
    let many = "insert into public.zones (venue_id, name) select '{1}0020', 'zone ' || n from generate_series(1, 60) n";
    run(&mut conn, &with_ids(many)).await;
    assert_eq!(zones::of_venues(&mut work, &[venue, venue]).await.expect("the zones").len(), 50);
    drop(work);
    assert_eq!(
        ask(
            &mut conn,
            Owner,
            "select private.create_zone(gen_random_uuid(), '{1}0020', 'One more', '{}')::text"
        )
        .await,
        Err("RT429".to_owned())
    );
}

#[tokio::test]
async fn a_player_stands_in_a_zone_of_its_own_venue() {
    let (_database, mut conn) = tenants().await;
    let sql = with_ids("update public.players set zone_id = '{2}0030' where id = '{1}0070'");
    let error = sqlx::query(AssertSqlSafe(sql)).execute(&mut conn).await.expect_err("another venue's zone");
    assert_eq!(
        error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref(),
        Some("23503")
    );
    run(&mut conn, &with_ids("delete from public.zones where id = '{1}0030'")).await;
    let left =
        "select concat(venue_id is not null, zone_id is null) from public.players where id = '{1}0070'";
    assert_eq!(one(&mut conn, left).await.as_deref(), Some("tt"));
}

/// A hub may tell of any id. Neither names of another tenant come of it, nor do their songs change.
#[tokio::test]
async fn what_a_hub_tells_of_others_says_nothing_of_them() {
    let (database, mut conn) = tenants().await;
    run(
        &mut conn,
        &with_ids(
            "update public.songs set last_played = null where true;
             update public.venue_songs set last_played_at = null where true;
             delete from public.songs_playing where true;
             insert into public.songs_playing (id, venue_id, zone_id, player_id, song_id, played_at) values
               (private.uuid7(now() - interval '1 hour'), '{1}0020', '{2}0030', '{2}0070', '{2}0050', now()),
               (private.uuid7(now() - interval '1 minute'), '{1}0020', '{1}0030', '{1}0070', '{1}0050', now() + interval '9 years')",
        ),
    )
    .await;
    let said = "select concat(count(*) filter (where last_played is null), count(*) filter (where last_played <= clock_timestamp()),
                  (select count(*) from public.venue_songs where last_played_at <= clock_timestamp())) from public.songs";
    assert_eq!(
        one(&mut conn, said).await.as_deref(),
        Some("111"),
        "theirs is untouched, ours is not of the future"
    );

    let venue = VenueId(with_ids("{1}0020").parse().expect("an id"));
    let now = chrono::Utc::now();
    // With what is said to be of years to come.
    let day = Range { from: now - chrono::TimeDelta::days(1), to: now + chrono::TimeDelta::days(3_660) };
    let mut work = database.open().as_service().await.expect("a transaction");
    let told = tell(&mut work, venue, day, None, 10).await.expect("the plays");
    let told: Vec<_> =
        told.iter().map(|play| [&play.title, &play.zone, &play.player].map(Option::as_deref)).collect();
    assert_eq!(told, [[None; 3], [Some("Song 1"), Some("Room"), Some("Player")]]);
    let reported = report(&mut work, venue, day, None, 10).await.expect("the songs");
    let reported: Vec<_> = reported.iter().map(|song| song.title.as_deref()).collect();
    assert_eq!(reported, [Some("Song 1"), None]);
}

/// Anybody can sign up with somebody else's address.
#[tokio::test]
async fn an_address_is_theirs_who_have_confirmed_it() {
    let (_database, mut conn) = tenants().await;
    let add = "select private.add_member('{1}0020', 'Person2@Tenant2.example', 'staff')::text";
    let grant = "select private.grant_admin('person2@TENANT2.example')::text";
    let them = Some(with_ids("{2}0002"));
    run(&mut conn, "update auth.users set email_confirmed_at = null where email = 'person2@tenant2.example'")
        .await;
    assert_eq!(ask(&mut conn, Owner, add).await, Err("RT404".to_owned()));
    assert_eq!(ask(&mut conn, Service, grant).await, Ok(None));
    let twin = "insert into auth.users (id, email, email_confirmed_at) values (gen_random_uuid(), 'PERSON2@tenant2.example', now())";
    run(
        &mut conn,
        "update auth.users set email_confirmed_at = now() where email = 'person2@tenant2.example'",
    )
    .await;
    run(&mut conn, twin).await;
    assert_eq!(ask(&mut conn, Owner, add).await, Err("RT409".to_owned()));
    assert_eq!(ask(&mut conn, Service, grant).await, Err("RT409".to_owned()));
    run(&mut conn, "update auth.users set email_confirmed_at = null where email = 'PERSON2@tenant2.example'")
        .await;
    assert_eq!(ask(&mut conn, Owner, add).await, Ok(them.clone()));
    assert_eq!(ask(&mut conn, Service, grant).await, Ok(them));
}

#[tokio::test]
async fn an_answer_that_is_kept_is_small() {
    let (_database, mut conn) = tenants().await;
    let keep = |size: u32| {
        format!(
            "insert into public.idempotency (user_id, key, operation, input_hash, result) values
             ('{{1}}0001', gen_random_uuid(), 'x', sha256('x'),
              (select jsonb_agg(gen_random_uuid()) from generate_series(1, {size}))) returning operation"
        )
    };
    assert_eq!(ask(&mut conn, Owner, &keep(10)).await, Ok(Some("x".to_owned())));
    assert_eq!(ask(&mut conn, Owner, &keep(1000)).await, Err("23514".to_owned()));
}

/// In `public` there may be what the project had before us.
#[tokio::test]
async fn what_is_not_ours_stays_as_it_was() {
    let database = Postgres::start(Version::V16).empty().await;
    run(&mut database.superuser().await, SHIM).await;
    let mut conn = connect(&database.migrator_url).await;
    run(
        &mut conn,
        "create table public.theirs (id int primary key);
         create function public.theirs_too() returns int language sql as 'select 1';
         revoke all on public.theirs from service_role;
         grant select on public.theirs to anon",
    )
    .await;
    migrations::run(&database.migrator_url).await.expect("the migrations");
    let is = "select concat(relrowsecurity, has_table_privilege('anon', oid, 'select'),
                has_function_privilege('anon', 'public.theirs_too()', 'execute'), has_table_privilege('service_role', oid, 'select'))
              from pg_class where oid = 'public.theirs'::regclass";
    assert_eq!(one(&mut conn, is).await.as_deref(), Some("fttf"));
}
