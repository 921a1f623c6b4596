//! What nobody reads: secrets, voters' names, and tables behind tables.

use rstest::rstest;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::postgres::{Postgres, Version, run};
use crate::tenants::Asker::{self, Anonymous, Guest, Hub, Manager, Owner, Service, Viewer};
use crate::tenants::settle;

/// The error that an asker of tenant 1 gets, or `None`.
async fn refused(conn: &mut PgConnection, asker: Asker, sql: &str) -> Option<String> {
    let mut work = conn.begin().await.expect("a transaction");
    run(&mut work, &asker.become_sql(1)).await;
    let answer = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut *work).await;
    work.rollback().await.expect("nothing is kept");
    answer.err().map(|error| {
        let code = error.as_database_error().and_then(|error| error.code().map(String::from));
        code.unwrap_or_else(|| error.to_string())
    })
}

#[rstest]
#[case("public.players", "token", &[Owner, Hub, Service])]
#[case("public.hubs", "public_key", &[Owner, Hub])]
#[case("public.hubs", "next_public_key", &[Owner, Hub])]
#[case("public.hubs", "enrolment_hash", &[Owner, Hub])]
#[case("private.ticket_keys", "seed", &[Owner, Hub])]
#[case("private.guest_sessions", "token_hash", &[Owner, Hub, Guest])]
#[case("public.player_pairings", "digits", &[Owner, Hub, Guest, Service])]
#[case("private.guest_doors", "code", &[Owner, Hub, Guest])]
#[case("public.hubs", "public_key", &[Guest])]
#[case("public.venues", "settings", &[Guest])]
#[case("public.songs", "object_key", &[Guest])]
#[case("public.votes", "guest_id", &[Owner])]
#[case("public.votes", "user_id", &[Owner])]
#[case("public.votes", "session_id", &[Owner])]
#[case("public.sessions", "guest_id", &[Owner])]
#[case("public.sessions", "user_id", &[Owner])]
#[case("public.sync_state", "instance_nonce", &[Owner])]
#[tokio::test]
async fn no_column_gives_a_secret_away(#[case] table: &str, #[case] column: &str, #[case] askers: &[Asker]) {
    let database = Postgres::start(Version::V16).database().await;
    let mut conn = settle(&database).await;
    for asker in askers.iter().copied().chain([Anonymous]) {
        for sql in [
            format!("select {column} from {table}"),
            format!("select * from {table}"),
            format!("select 1 from {table} where {column} is not null"),
            format!("update {table} set {column} = {column} where true returning 1"),
        ] {
            let error = refused(&mut conn, asker, &sql).await;
            assert_eq!(error.as_deref(), Some("42501"), "{asker:?}: {sql}");
        }
    }
}

/// A partition is a table of its own, with grants of its own.
#[rstest]
#[tokio::test]
async fn no_way_leads_past_the_parent_of_a_partition(#[values(Version::V16, Version::V18)] version: Version) {
    let database = Postgres::start(version).database().await;
    let mut conn = settle(&database).await;
    let leaves: Vec<String> = sqlx::query_scalar(
        "select inhrelid::regclass::text from pg_inherits join pg_class on oid = inhrelid where relkind = 'r'",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert!(leaves.len() >= 18, "six weeks of three tables: {leaves:?}");
    for leaf in leaves {
        for asker in [Owner, Hub, Service, Anonymous] {
            for sql in [format!("select from {leaf}"), format!("delete from {leaf} where true")] {
                assert_eq!(
                    refused(&mut conn, asker, &sql).await.as_deref(),
                    Some("42501"),
                    "{asker:?}: {sql}"
                );
            }
        }
    }
}

/// Whoever may put a song on a list may read it: so only songs of one's own catalogue may be put there.
#[tokio::test]
async fn no_song_of_another_tenant_is_adopted() {
    let database = Postgres::start(Version::V18).database().await;
    let mut conn = settle(&database).await;
    let adopt = |venue: u8, song: u8| {
        format!(
            "insert into public.venue_songs (venue_id, song_id) values ('00000000-0000-7000-8000-0000000{venue}0020',
             '00000000-0000-7000-8000-0000000{song}0050')"
        )
    };
    // Also where the policies have no say, and where the song is none.
    for asker in [Owner, Manager, Viewer, Hub, Service] {
        assert_eq!(refused(&mut conn, asker, &adopt(1, 2)).await.as_deref(), Some("42501"), "{asker:?}");
        assert_eq!(refused(&mut conn, asker, &adopt(1, 9)).await.as_deref(), Some("42501"), "{asker:?}");
    }
    // That it is the song that is wrong: one of the own catalogue may be put there.
    run(&mut conn, "delete from public.venue_songs where true").await;
    assert_eq!(refused(&mut conn, Owner, &adopt(1, 1)).await, None);
    assert_eq!(refused(&mut conn, Viewer, &adopt(1, 1)).await.as_deref(), Some("42501"));
}

/// An administrator of everything is an owner everywhere, and nobody else is more than their membership says.
#[tokio::test]
async fn an_administrator_sees_every_venue() {
    let database = Postgres::start(Version::V18).database().await;
    let mut conn = settle(&database).await;
    let count = async |conn: &mut PgConnection| -> i64 {
        let mut work = conn.begin().await.expect("a transaction");
        run(&mut work, &Owner.become_sql(1)).await;
        sqlx::query_scalar(
            "select count(*) from public.venues where id = any (array(select private.my_venues('owner')))",
        )
        .fetch_one(&mut *work)
        .await
        .expect("the venues")
    };
    assert_eq!(count(&mut conn).await, 1);
    run(
        &mut conn,
        "insert into public.roles (user_id, role) values ('00000000-0000-7000-8000-000000010001', 'admin')",
    )
    .await;
    assert_eq!(count(&mut conn).await, 2);
    run(&mut conn, "delete from public.roles where role = 'admin'").await;
    assert_eq!(count(&mut conn).await, 1, "what is taken away is gone at once");
}

/// A misspelt role is none.
#[tokio::test]
async fn only_the_four_roles_are_roles() {
    let database = Postgres::start(Version::V16).database().await;
    let mut conn = settle(&database).await;
    let mut work = conn.begin().await.unwrap();
    run(&mut work, &Viewer.become_sql(1)).await;
    for (role, venues) in
        [("'viewer'", 1), ("'staff'", 0), ("'owner'", 0), ("'Viewer'", 0), ("''", 0), ("null", 0)]
    {
        let sql = format!("select count(*) from private.my_venues({role})");
        let found: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *work).await.unwrap();
        assert_eq!(found, venues, "{role}");
    }
}
