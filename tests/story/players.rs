//! Players that are let in and turned down from the cloud: its page is all that a manager has.

use std::time::Instant;

use roomtone_tests::{Loudspeaker, TestCloud, eventually_within};
use serde_json::{Value, json};

use crate::pair::{AFTER_FAULTS, IN_STEP, Pair};

/// Songs of the hub.
const SONGS: u32 = 5;

const SELECT: &str = "pairing { id state } code";

async fn begin(pair: &Pair, name: Option<&str>) -> (String, String) {
    let mut input = json!({ "venueId": pair.at_cloud });
    if let Some(name) = name {
        input["name"] = json!(name);
    }
    let begun = pair.cloud.mutate("createPlayerPairing", "CreatePlayerPairingInput", input, SELECT).await;
    let code = begun["code"].as_str().expect("a code").replace(' ', "");
    assert!(code.len() == 8 && code.bytes().all(|digit| digit.is_ascii_digit()));
    (begun["pairing"]["id"].as_str().expect("an id").to_owned(), code)
}

async fn pairing(cloud: &TestCloud, id: &str) -> Value {
    let query = "query($id: ID!) { node(id: $id) { ... on PlayerPairing { state player { id name zone { name } } } } }";
    cloud.ask(query, json!({ "id": id })).await["node"].clone()
}

async fn becomes(cloud: &TestCloud, id: &str, state: &str) {
    let begun = Instant::now();
    eventually_within(IN_STEP, state, async || pairing(cloud, id).await["state"] == state).await;
    println!("the pairing is {state} after {:?}", begun.elapsed());
}

async fn players(pair: &Pair) -> Value {
    let query =
        "query($id: ID!) { venue(id: $id) { players { id name revokedAt volumePercent zone { name } } } }";
    pair.cloud.ask(query, json!({ "id": pair.at_cloud })).await["venue"]["players"].clone()
}

/// How loud the player itself says that it is, in percent.
fn loudness(player: &Loudspeaker) -> Option<f64> {
    Some((player.status()?["volume"].as_f64()? * 100.0).round())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_player_is_let_in_and_turned_down_from_the_cloud() {
    let test = "a_player_is_let_in_and_turned_down_from_the_cloud";
    let Some(mut pair) = Pair::open(test, SONGS).await else { return };
    let ana = pair.venue.check_in("ana").await;
    pair.enrol().await;
    pair.in_step(&ana).await;

    let mut bar = Loudspeaker::at(&pair.venue, "box 7");
    let (first, void) = begin(&pair, None).await;
    becomes(&pair.cloud, &first, "READY").await;
    // Another one closes it, here and at the hub; its code opens nothing.
    let (second, code) = begin(&pair, Some("Bar")).await;
    assert_eq!(pairing(&pair.cloud, &first).await["state"], "CLOSED");
    becomes(&pair.cloud, &second, "READY").await;
    let refused = bar.run(["pair", &void]);
    assert!(!refused.status.success(), "{}", refused.stdout);
    let _said = bar.run(["pair", &code]).succeeded();
    becomes(&pair.cloud, &second, "PAIRED").await;
    eventually_within(IN_STEP, "the cloud knows the player", async || {
        pairing(&pair.cloud, &second).await["player"]["name"] == "Bar"
    })
    .await;
    assert_eq!(pairing(&pair.cloud, &second).await["player"]["zone"]["name"], "main");
    assert!(!bar.run(["pair", &code]).status.success(), "a code lets one player in");

    bar.start();
    eventually_within(IN_STEP, "it plays what its hub decides", async || bar.title().is_some()).await;
    eventually_within(IN_STEP, "its hub has told how loud it is", async || {
        players(&pair).await[0]["volumePercent"] == 100
    })
    .await;
    let id = players(&pair).await[0]["id"].clone();
    let turn = async |percent: u8| {
        let input = json!({ "id": id, "volumePercent": percent });
        pair.cloud.mutate("updatePlayer", "UpdatePlayerInput", input, "player { volumePercent }").await
    };
    let begun = Instant::now();
    assert_eq!(turn(35).await["player"]["volumePercent"], 35);
    eventually_within(IN_STEP, "it is turned down", async || loudness(&bar) == Some(35.0)).await;
    println!("turned down after {:?}", begun.elapsed());

    // Whoever stands at the hub has the last word, and the page says it.
    let _said = pair.venue.run("player volume", ["Bar", "60"]).succeeded();
    eventually_within(IN_STEP, "the cloud says what is", async || {
        players(&pair).await[0]["volumePercent"] == 60
    })
    .await;
    let input = json!({ "id": id, "name": "Counter" });
    pair.cloud.mutate("updatePlayer", "UpdatePlayerInput", input, "player { name }").await;
    eventually_within(IN_STEP, "the hub calls it so", async || {
        pair.venue.run::<&str>("player list", []).succeeded().stdout.contains("Counter")
    })
    .await;
    assert_eq!(loudness(&bar), Some(60.0), "a name is no volume");
    secrets_are_nowhere(&pair, &[&void, &code]).await;
    bar.stop(&[]);
    pair.venue.close_apart_from(&AFTER_FAULTS);
    pair.cloud.stop(&[]);
}

/// In no table of the cloud, and in no file of the hub.
async fn secrets_are_nowhere(pair: &Pair, codes: &[&str]) {
    use sqlx::Connection as _;
    let mut conn = sqlx::PgConnection::connect(&pair.cloud.database_url()).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname in ('public', 'private')",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    for table in tables {
        for code in codes {
            let sql = format!("select count(*) from {table} t where t::text like '%{code}%'");
            let found: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut conn).await.unwrap();
            assert_eq!(found, 0, "{table} has a code");
        }
    }
    for entry in std::fs::read_dir(pair.venue.data()).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_file() {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for code in codes {
            assert!(!bytes.windows(8).any(|eight| eight == code.as_bytes()), "{} has a code", path.display());
        }
    }
}
