//! Functions that see more than their caller: each asked for what is another tenant's, and by those who may too little.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::postgres::{Postgres, Version, run};
use crate::tenants::Asker::{self, Owner, Stranger, Viewer};
use crate::tenants::settle;

/// Whether somebody who may only look may call it for their own venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ForViewers {
    Yes,
    No,
}

use ForViewers::{No, Yes};

/// A call for what is tenant `{t}`'s: ids are its first part and four digits.
const CALLS: &[(&str, ForViewers)] = &[
    ("private.may_use_song('{t}0050')", No),
    ("private.my_role('{t}0020')", Yes),
    ("private.my_role_in('{t}0010')", Yes),
    ("private.require_role('{t}0020', 'viewer')", Yes),
    ("private.count_votes('{t}0020', '2000-01-01', '2100-01-01', 'day')", Yes),
    ("private.require_role_in('{t}0010', 'viewer')", Yes),
    ("private.audit('{t}0010', '{t}0020', 'venue.seen', 'Venue')", Yes),
    ("private.create_venue(gen_random_uuid(), '{t}0010', null, 'New', 'new', 'cafe', 'UTC', 4, 5000)", No),
    ("private.archive_venue('{t}0020', true)", No),
    ("private.create_zone(gen_random_uuid(), '{t}0020', 'New', '{}')", No),
    ("private.change_zone('{t}0030', 'New', '{}', '{}')", No),
    ("private.archive_zone('{t}0030')", No),
    ("private.withdraw_song('{t}0050', true)", No),
    (
        "private.create_export(gen_random_uuid(), '{t}0020', now() - interval '1 day', now(), 'report', 'csv')",
        No,
    ),
    (
        "(select max(listener::text) from private.visits('{t}0020', now() - interval '1 day', now() + interval '1 day'))",
        Yes,
    ),
    ("private.add_member('{t}0020', 'person1@tenant1.example', 'owner')", No),
    ("private.change_member_role('{t}0020', '{t}0003', 'manager')", No),
    ("private.remove_member('{t}0020', '{t}0003')", No),
    ("private.enrol_hub(gen_random_uuid(), '{t}0020', 'New', sha256('new'), now())", No),
    ("private.renew_enrolment('{t}0040', sha256('new'), now())", No),
    ("private.rename_hub('{t}0040', 'New')", No),
    ("private.revoke_hub('{t}0040')", No),
    ("private.edit_player('{t}0070', 'New', null)", No),
    ("private.turn_player('{t}0070', 40::smallint)", No),
    ("private.revoke_player('{t}0070')", No),
    ("private.open_pairing(gen_random_uuid(), '{t}0040', null, null, null, '12345678', 300, 60)", No),
    ("private.open_pairing(gen_random_uuid(), null, '{t}0020', null, null, '12345678', 300, 60)", No),
    ("private.renew_pairing('{t}0130', '12345678', 300)", No),
    ("private.close_pairing('{t}0130')", No),
    (
        "private.begin_song_upload(gen_random_uuid(), '{t}0010', 'a.flac', sha256('new'), 1, 'audio/flac', '1 hour', 10)",
        No,
    ),
    ("private.divide_song_upload('{t}0060', 'parts', 1)", No),
    ("private.finalise_song_upload('{t}0060', '{}', '{}')", No),
    ("private.cancel_song_upload('{t}0060')", No),
    ("private.guest_code('{t}0020')", No),
    ("private.open_guest_page('{t}0020')", No),
    ("private.close_guest_page('{t}0020')", No),
    ("private.retry_dead_letter('{t}0110')", No),
    ("private.discard_dead_letter('{t}0110')", No),
];

/// Functions that are told nothing but who asks, and answer about them alone.
const OF_ONESELF: [&str; 5] = ["is_admin", "my_venues", "my_organisations", "my_people", "ensure_profile"];

/// Whether the asker (of tenant 1) gets what they ask for: neither a refusal nor nothing.
async fn gets(conn: &mut PgConnection, asker: Asker, call: &str, tenant: u8) -> bool {
    let call = call.replace("{t}", &format!("00000000-0000-7000-8000-0000000{tenant}"));
    let mut work = conn.begin().await.expect("a transaction");
    run(&mut work, &asker.become_sql(1)).await;
    let answer = sqlx::query_scalar::<_, Option<String>>(AssertSqlSafe(format!("select {call}::text")));
    let answer = answer.fetch_optional(&mut *work).await;
    work.rollback().await.expect("nothing is kept");
    match answer {
        Ok(answer) => answer.flatten().is_some_and(|answer| answer != "false"),
        Err(error) => {
            let code = error.as_database_error().and_then(|error| error.code().map(String::from));
            let code = code.unwrap_or_default();
            assert!(code.starts_with("RT"), "{asker:?}: {call}: {error}");
            // Not now, or not so: that is no question of whose it is.
            code != "RT403" && code != "RT404"
        }
    }
}

#[tokio::test]
async fn every_function_asks_whose_it_is() {
    let database = Postgres::start(Version::V18).database().await;
    let mut conn = settle(&database).await;
    // An upload waits as long as it may.
    run(&mut conn, "update public.song_uploads set expires_at = now() + interval '1 hour' where true").await;
    for (call, for_viewers) in CALLS {
        assert!(gets(&mut conn, Owner, call, 1).await, "an owner and their own: {call}");
        assert!(!gets(&mut conn, Owner, call, 2).await, "an owner and another tenant's: {call}");
        assert!(!gets(&mut conn, Stranger, call, 1).await, "somebody without a venue: {call}");
        assert_eq!(gets(&mut conn, Viewer, call, 1).await, *for_viewers == Yes, "who may only look: {call}");
    }
}

#[tokio::test]
async fn no_function_is_missing_here() {
    let database = Postgres::start(Version::V18).database().await;
    let there: Vec<String> = sqlx::query_scalar(
        "select distinct proname::text from pg_proc where pronamespace = 'private'::regnamespace and prosecdef
           and has_function_privilege('authenticated', oid, 'execute')",
    )
    .fetch_all(&mut database.superuser().await)
    .await
    .unwrap();
    let there: BTreeSet<&str> = there.iter().map(String::as_str).collect();
    let name = |call: &'static str| {
        let (_, call) = call.split_once("private.").expect("functions stand in private");
        call.split('(').next().unwrap_or_default()
    };
    let tried: BTreeSet<&str> = CALLS.iter().map(|(call, _)| name(call)).chain(OF_ONESELF).collect();
    assert_eq!(there, tried);
}
