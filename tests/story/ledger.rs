//! What both sides have written down, read beside the running programs.

use std::collections::BTreeMap;

use roomtone_tests::{TestCloud, TestVenue};
use sqlx::{Connection as _, PgConnection, Row as _};
use uuid::Uuid;

/// Facts by their id, and in words what each says.
pub(crate) type Facts = BTreeMap<Uuid, String>;

/// What the cloud's database holds, read over one connection.
pub(crate) struct Ledger(PgConnection);

impl Ledger {
    pub(crate) async fn of(cloud: &TestCloud) -> Self {
        Self(PgConnection::connect(&cloud.database_url()).await.unwrap())
    }

    /// Every vote. Panics where one is there twice.
    pub(crate) async fn votes(&mut self) -> Facts {
        self.facts("select id, vote_value::text as says from public.votes").await
    }

    /// Every play. Panics where one is there twice.
    pub(crate) async fn plays(&mut self) -> Facts {
        self.facts("select id, coalesce(ended, 'plays') as says from public.songs_playing").await
    }

    async fn facts(&mut self, query: &'static str) -> Facts {
        let mut facts = Facts::new();
        for row in sqlx::query(query).fetch_all(&mut self.0).await.unwrap() {
            let (id, says): (Uuid, String) = (row.get("id"), row.get("says"));
            assert_eq!(facts.insert(id, says), None, "{id} is there twice: {query}");
        }
        facts
    }

    /// A number that a question gives.
    pub(crate) async fn count(&mut self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&mut self.0).await.unwrap()
    }

    /// Every fact that the cloud took: its number, and the hash of what it says.
    pub(crate) async fn told(&mut self) -> Vec<(i64, Vec<u8>)> {
        let rows = sqlx::query("select seq, payload_hash from private.sync_received").fetch_all(&mut self.0);
        rows.await.unwrap().iter().map(|row| (row.get("seq"), row.get("payload_hash"))).collect()
    }

    /// Songs with their status.
    pub(crate) async fn songs(&mut self) -> BTreeMap<String, String> {
        let rows =
            sqlx::query("select title, status::text as status from public.songs").fetch_all(&mut self.0);
        rows.await.unwrap().iter().map(|row| (row.get("title"), row.get("status"))).collect()
    }

    /// Facts that the cloud keeps apart, with the reason.
    pub(crate) async fn apart(&mut self) -> Vec<String> {
        let query = "select kind || ': ' || error as says from public.sync_quarantine";
        sqlx::query_scalar(query).fetch_all(&mut self.0).await.unwrap()
    }
}

/// Every vote of the hub.
pub(crate) fn hub_votes(venue: &TestVenue) -> Facts {
    hub_facts(venue, "select id, cast(value as text) from votes")
}

/// Every play of the hub.
pub(crate) fn hub_plays(venue: &TestVenue) -> Facts {
    hub_facts(venue, "select id, coalesce(ended, 'plays') from songs_playing")
}

fn hub_facts(venue: &TestVenue, query: &str) -> Facts {
    let conn = rusqlite::Connection::open(venue.data().join(roomtone_hub::store::FILE_NAME)).unwrap();
    let mut select = conn.prepare(query).unwrap();
    let rows = select.query_map([], |row| Ok((Uuid::from_bytes(row.get(0)?), row.get(1)?)));
    rows.unwrap().map(Result::unwrap).collect()
}
