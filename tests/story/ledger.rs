//! What both sides have written down, read beside the running programs.

use std::collections::BTreeMap;

use roomtone_schema::UnixMillis;
use roomtone_tests::{TestCloud, TestVenue};
use rusqlite::types::ValueRef;
use sqlx::{Connection as _, PgConnection, Row as _};
use uuid::Uuid;

/// Facts by their id, and in words what each says.
pub(crate) type Facts = BTreeMap<Uuid, String>;

/// When facts of some ids were.
pub(crate) type Times = BTreeMap<Uuid, UnixMillis>;

/// A taste as it is kept: likes, their sums, dislikes, their sums.
pub(crate) type Sums = (i64, Vec<i64>, i64, Vec<i64>);

/// What the cloud's database holds, read over one connection.
pub(crate) struct Ledger(PgConnection);

impl Ledger {
    pub(crate) async fn of(cloud: &TestCloud) -> Self {
        Self(PgConnection::connect(&cloud.database_url()).await.unwrap())
    }

    /// Every vote. Panics where one is there twice.
    pub(crate) async fn votes(&mut self) -> Facts {
        self.facts(
            "select id, concat_ws(' ', vote_value, song_id, session_id, coalesce(user_id, guest_id)) as says
             from public.votes",
        )
        .await
    }

    /// Every play. Panics where one is there twice.
    pub(crate) async fn plays(&mut self) -> Facts {
        self.facts(
            "select id, concat_ws(' ', coalesce(ended, 'plays'), tier, coalesce(heard_ms, 0), song_id, player_id) as says
             from public.songs_playing",
        )
        .await
    }

    /// Every presence. Panics where one is there twice.
    pub(crate) async fn sessions(&mut self) -> Facts {
        self.facts(
            "select id, concat_ws(' ', status, coalesce(user_id, guest_id)) as says from public.sessions",
        )
        .await
    }

    async fn facts(&mut self, query: &'static str) -> Facts {
        let mut facts = Facts::new();
        for row in sqlx::query(query).fetch_all(&mut self.0).await.unwrap() {
            let (id, says): (Uuid, String) = (row.get("id"), row.get("says"));
            assert_eq!(facts.insert(id, says), None, "{id} is there twice: {query}");
        }
        facts
    }

    /// When votes were cast and plays began, as the cloud has mended it.
    pub(crate) async fn times(&mut self) -> Times {
        let rows = sqlx::query_as::<_, (Uuid, i64)>(
            "select id, (extract(epoch from vote_time) * 1000)::bigint from public.votes
             union all select id, (extract(epoch from played_at) * 1000)::bigint from public.songs_playing",
        );
        let rows = rows.fetch_all(&mut self.0).await.unwrap();
        rows.into_iter().map(|(id, at)| (id, UnixMillis(at))).collect()
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

    /// Tastes of people with an account.
    pub(crate) async fn tastes(&mut self) -> BTreeMap<Uuid, Sums> {
        let query = "select user_id, n_like, sum_like, n_dislike, sum_dislike from public.preferences where user_id is not null";
        let rows = sqlx::query(query).fetch_all(&mut self.0).await.unwrap();
        rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2), row.get(3), row.get(4)))).collect()
    }

    /// Guests whose votes somebody with an account has claimed, and who.
    pub(crate) async fn claimed(&mut self) -> BTreeMap<Uuid, Uuid> {
        let query = "select id, claimed_by from public.guests where claimed_by is not null";
        let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(query).fetch_all(&mut self.0).await.unwrap();
        rows.into_iter().collect()
    }
}

/// What a hub's database holds, read beside it.
pub(crate) struct HubLedger(rusqlite::Connection);

impl HubLedger {
    pub(crate) fn of(venue: &TestVenue) -> Self {
        Self(rusqlite::Connection::open(venue.data().join(roomtone_hub::store::FILE_NAME)).unwrap())
    }

    /// The database itself.
    pub(crate) fn connection(&self) -> &rusqlite::Connection {
        &self.0
    }

    /// Every vote. Songs go by the catalogue's names.
    pub(crate) fn votes(&self) -> Facts {
        self.facts(
            "select id, value, coalesce(canonical, song), session, listener
             from votes left join aliases on local = song",
        )
    }

    /// Every play. Songs go by the catalogue's names.
    pub(crate) fn plays(&self) -> Facts {
        self.facts(
            "select id, coalesce(ended, 'plays'), tier, coalesce(heard_ms, 0), coalesce(canonical, song), player
             from songs_playing left join aliases on local = song",
        )
    }

    /// Every presence.
    pub(crate) fn sessions(&self) -> Facts {
        self.facts("select id, status, listener from sessions")
    }

    fn facts(&self, query: &str) -> Facts {
        let mut select = self.0.prepare(query).unwrap();
        let columns = select.column_count();
        let fact = |row: &rusqlite::Row<'_>| {
            let words: rusqlite::Result<Vec<String>> =
                (1..columns).map(|at| row.get_ref(at).map(word)).collect();
            Ok((Uuid::from_bytes(row.get(0)?), words?.join(" ")))
        };
        select.query_map([], fact).unwrap().map(Result::unwrap).collect()
    }

    /// When votes were cast and plays began.
    pub(crate) fn times(&self) -> Times {
        let query = "select id, cast_at from votes union all select id, started_at from songs_playing";
        let mut select = self.0.prepare(query).unwrap();
        let time = |row: &rusqlite::Row<'_>| Ok((Uuid::from_bytes(row.get(0)?), UnixMillis(row.get(1)?)));
        select.query_map([], time).unwrap().map(Result::unwrap).collect()
    }

    /// Seconds that players have told were heard, of plays that began in some time.
    pub(crate) fn seconds_heard(&self, from: UnixMillis, to: UnixMillis) -> i64 {
        let query = "select coalesce(sum(heard_ms), 0) / 1000 from songs_playing where started_at >= ?1 and started_at < ?2";
        self.0.query_row(query, [from.0, to.0], |row| row.get(0)).unwrap()
    }

    /// Tastes of people with an account.
    pub(crate) fn tastes(&self) -> BTreeMap<Uuid, Sums> {
        let query = "select listener, n_like, sum_like, n_dislike, sum_dislike from preferences
             where listener in (select listener from profiles)";
        let mut select = self.0.prepare(query).unwrap();
        let sums = |bytes: Vec<u8>| {
            bytes.chunks(8).map(|eight| i64::from_le_bytes(eight.try_into().unwrap())).collect()
        };
        let taste = |row: &rusqlite::Row<'_>| {
            let of = Uuid::from_bytes(row.get(0)?);
            Ok((of, (row.get(1)?, sums(row.get(2)?), row.get(3)?, sums(row.get(4)?))))
        };
        select.query_map([], taste).unwrap().map(Result::unwrap).collect()
    }
}

/// A value as Postgres writes it: ids are blobs here.
fn word(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Blob(id) => Uuid::from_slice(id).unwrap().to_string(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        other => panic!("neither an id, nor a number, nor a word: {other:?}"),
    }
}
