//! A catalogue and an evening, as large as the goals say.

use roomtone_schema::id::Id as _;
use roomtone_schema::vote::{Hlc, Vote, VoteValue};
use roomtone_schema::{ListenerId, SessionId, SongId, UnixMillis, VenueId, VoteId};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

/// What titles are made of: real ones share words, and pack better than random letters.
const WORDS: [&str; 24] = [
    "Night", "Rain", "Harbour", "Glass", "Slow", "Morning", "Paper", "Moon", "River", "Ash", "Velvet",
    "Echo", "Summer", "North", "Copper", "Silent", "Garden", "Blue", "Mirror", "Dust", "Lantern", "Winter",
    "Tide", "Signal",
];

/// A generator whose numbers are the same in every run.
#[derive(Debug, Clone)]
pub(crate) struct Lots(u64);

impl Lots {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// splitmix64.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, most: usize) -> usize {
        (self.next() % most as u64) as usize
    }

    fn bytes(&mut self) -> [u8; 10] {
        let (a, b) = (self.next().to_le_bytes(), self.next().to_le_bytes());
        [a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], b[0], b[1]]
    }

    /// An id that was made then.
    pub(crate) fn id<I: roomtone_schema::id::Id>(&mut self, at: UnixMillis) -> I {
        I::mint(at, self.bytes())
    }

    fn title(&mut self) -> String {
        let many = 1 + self.below(3);
        let words: Vec<&str> = (0..many).map(|_| WORDS[self.below(WORDS.len())]).collect();
        words.join(" ")
    }
}

/// One song as a document of somebody else's.
pub(crate) fn song_document(lots: &mut Lots) -> Value {
    let [a, b, c, d] = [lots.next(), lots.next(), lots.next(), lots.next()];
    let sha256 = format!("{a:016x}{b:016x}{c:016x}{d:016x}");
    let embedding: Vec<f32> = (0..5).map(|_| lots.below(2_000_001) as f32 / 1_000_000.0 - 1.0).collect();
    json!({
        "status": "ready", "sha256": sha256, "bytes": 3_000_000 + lots.below(9_000_000), "content_type": "audio/flac",
        "title": lots.title(), "artist": lots.title(), "album": lots.title(), "explicit": "unknown",
        "duration_ms": 120_000 + lots.below(240_000), "bpm": 60 + lots.below(120), "key": "Am",
        "lufs": -14.25, "true_peak_dbtp": -1.5, "cue_in_ms": 120, "cue_out_ms": 200_000, "embedding": embedding,
    })
}

/// Puts songs into a venue's catalogue, all of them played there, as a manager's import does: in one transaction.
pub(crate) async fn stock(
    conn: &mut PgConnection,
    venue: VenueId,
    songs: usize,
    lots: &mut Lots,
) -> Vec<SongId> {
    let organisation: Uuid = sqlx::query_scalar("select organisation_id from public.venues where id = $1")
        .bind(venue.0)
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    let now = UnixMillis(1_790_000_000_000);
    let ids: Vec<SongId> = (0..songs).map(|_| lots.id(now)).collect();
    sqlx::raw_sql("begin").execute(&mut *conn).await.unwrap();
    for some in ids.chunks(10_000) {
        insert(conn, organisation, venue, some, lots).await;
    }
    sqlx::raw_sql("commit").execute(conn).await.unwrap();
    ids
}

async fn insert(
    conn: &mut PgConnection,
    organisation: Uuid,
    venue: VenueId,
    ids: &[SongId],
    lots: &mut Lots,
) {
    let many = ids.len();
    let keys: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let titles: Vec<String> = (0..3 * many).map(|_| lots.title()).collect();
    let sums: Vec<Vec<u8>> =
        (0..many).map(|_| (0..4).flat_map(|_| lots.next().to_le_bytes()).collect()).collect();
    let numbers: Vec<f32> = (0..6 * many).map(|_| lots.below(2_000_001) as f32 / 1_000_000.0 - 1.0).collect();
    let vectors: Vec<String> = (0..many).map(|at| format!("{:?}", &numbers[6 * at..6 * at + 5])).collect();
    let loudness: Vec<f32> = (0..many).map(|at| -14.0 + 4.0 * numbers[6 * at + 5]).collect();
    let lengths: Vec<i32> = (0..many).map(|_| 120_000 + lots.below(240_000) as i32).collect();
    sqlx::query(
        "with given as (
             select * from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::text[], $8::real[], $9::int[])
             as t (id, title, artist, album, sum, vector, loudness, length)),
         added as (
             insert into public.songs (id, organisation_id, title, artist, album, file_url, object_key, content_sha256,
                 content_bytes, content_type, bpm, duration_ms, key, loudness_lufs, true_peak_dbtp, cue_in_ms, cue_out_ms,
                 embedding, embedding_model_id, status)
             select id, $1, title, artist, album, 's3://media/org/' || encode(sum, 'hex'), 'org/' || encode(sum, 'hex'), sum,
                 length * 30, 'audio/flac', 90 + length % 80, length, 'Am', loudness, loudness / 10, length % 300,
                 length - length % 900, vector::extensions.vector, 1, 'ready'
             from given returning id)
         select count(*) from added",
    )
    .bind(organisation)
    .bind(&keys)
    .bind(&titles[..many])
    .bind(&titles[many..2 * many])
    .bind(&titles[2 * many..])
    .bind(sums)
    .bind(vectors)
    .bind(loudness)
    .bind(lengths)
    .execute(&mut *conn)
    .await
    .unwrap();
    sqlx::query(
        "insert into public.venue_songs (venue_id, song_id) select $1, id from unnest($2::uuid[]) t (id)",
    )
    .bind(venue.0)
    .bind(keys)
    .execute(conn)
    .await
    .unwrap();
}

/// Votes of one venue over some days: forty people an evening, who like and dislike what plays.
pub(crate) fn votes(songs: &[SongId], many: usize, from: UnixMillis, lots: &mut Lots) -> Vec<Vote> {
    let mut people: Vec<(ListenerId, SessionId)> = Vec::new();
    let mut votes = Vec::with_capacity(many);
    let mut at = from;
    for number in 0..many {
        if number % 400 == 0 {
            people = (0..40).map(|_| (lots.id(at), lots.id(at))).collect();
        }
        at = UnixMillis(at.0 + 2_000 + lots.below(12_000) as i64);
        let (listener, session) = people[lots.below(people.len())];
        // The room votes on what it hears: about the last two hundred songs.
        let song = songs[(number / 10 + lots.below(200)) % songs.len()];
        let value = if lots.below(5) == 0 { VoteValue::Dislike } else { VoteValue::Like };
        let hlc = Hlc(at.0.cast_unsigned() << 16);
        votes.push(Vote { id: lots.id::<VoteId>(at), listener, session, song, value, hlc, cast_at: at });
    }
    votes
}

/// One vote as a document of somebody else's.
pub(crate) fn vote_document(vote: &Vote) -> Value {
    serde_json::to_value(vote).unwrap()
}
