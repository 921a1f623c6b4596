//! The store as its callers see it. Power cuts, kills, full and failing disks are tried from outside, in
//! `tests/durability`.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use roomtone_schema::id::Id;
use roomtone_schema::player::{Player, PlayerMode, PlayerStatus};
use roomtone_schema::session::{Session, SessionStatus};
use roomtone_schema::song::{Explicit, Sha256, Song, SongFacts, SongStatus};
use roomtone_schema::taste::{TasteState, fixed_unit};
use roomtone_schema::visiting::Voted;
use roomtone_schema::vote::{Hlc, Vote, VoteValue};
use roomtone_schema::{
    Embedding, EmbeddingVersion, IdempotencyKey, ListenerId, ManualClock, SessionId, UnixMillis, VoteId,
};
use tempfile::TempDir;

use super::ballots::{Ballot, Cast};
use super::votes::{CastOutcome, Direction};
use super::*;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn open(dir: &TempDir) -> (Store, Opened) {
    Store::open(dir.path(), Arc::new(ManualClock::at(NOW))).unwrap()
}

fn new_store() -> (TempDir, Store) {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir);
    (dir, store)
}

fn reopen(dir: &TempDir, store: Store) -> (Store, Opened) {
    store.close();
    drop(store);
    open(dir)
}

fn mint<T: Id>(number: u64) -> T {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    T::mint(NOW, random)
}

fn song(number: u64) -> Song {
    let turn = number as f32;
    let embedding = Embedding::new([turn.sin(), turn.cos(), 0.5, -0.25, 0.125]).unwrap();
    let facts = SongFacts {
        title: format!("Song {number}"),
        artist: Some("Somebody".into()),
        album: None,
        isrc: None,
        label: None,
        explicit: Explicit::Unknown,
        kind: None,
        duration_ms: 180_000,
        bpm: Some(120.0),
        pulse_clarity: 0.5,
        key: Some("Am".into()),
        key_strength: 0.75,
        loudness_lufs: Some(-14.0),
        true_peak_dbtp: Some(-1.0),
        cue_in_ms: 0,
        cue_out_ms: 180_000,
        embedding: Some(embedding),
        embedding_version: EmbeddingVersion::DESC_V1,
        sha256: Sha256(*blake3::hash(&number.to_le_bytes()).as_bytes()),
        bytes: 1_000_000,
        content_type: "audio/mpeg".into(),
    };
    Song { id: mint(number), status: SongStatus::Ready, facts, created_at: NOW }
}

fn add_song(store: &Store, number: u64) -> Song {
    let song = song(number);
    let added = song.clone();
    store.write_blocking(move |tx| songs::insert(tx, mint(number), &added)).unwrap();
    song
}

fn direction(song: &Song) -> Direction {
    Direction { unit: fixed_unit(&song.facts.embedding.unwrap()), version: song.facts.embedding_version }
}

fn cast(store: &Store, number: u64, song: &Song, value: VoteValue) -> CastOutcome {
    let (song, direction) = (song.id, direction(song));
    store
        .write_blocking(move |tx| {
            let vote = Vote {
                id: mint::<VoteId>(number),
                listener: mint::<ListenerId>(1),
                session: mint::<SessionId>(1),
                song,
                value,
                hlc: Hlc(0),
                cast_at: NOW,
            };
            let (key, op) = (mint(number), mint(number));
            match ballots::cast(tx, &Ballot { key, op, vote, direction: Some(direction), prior: None })? {
                Cast::New(outcome, voted) => {
                    assert_eq!(voted.vote, outcome.effective);
                    Ok(outcome)
                }
                other => panic!("{other:?}"),
            }
        })
        .unwrap()
}

fn facts(store: &Store) -> Vec<Fact> {
    store.read_blocking(|conn| outbox::after(conn, 0, 1000)).unwrap()
}

/// Holds the writer until the returned sender is dropped, so that a test can fill the queue behind it.
fn hold_the_writer(store: &Store) -> mpsc::Sender<()> {
    let (release, held) = mpsc::channel::<()>();
    let (say_begun, begun) = mpsc::channel();
    let held = std::sync::Mutex::new(held);
    let work = move |_: &Tx<'_>| {
        let _nobody_listens = say_begun.send(());
        let _released = held.lock().unwrap().recv();
        Ok(())
    };
    store.inner.writer.submit(work, oneshot::channel().0).unwrap();
    begun.recv().unwrap();
    release
}

fn submit<T: Send + 'static>(
    store: &Store,
    work: impl Fn(&Tx<'_>) -> rusqlite::Result<T> + Send + 'static,
) -> oneshot::Receiver<Result<T, StoreError>> {
    let (reply, answer) = oneshot::channel();
    store.inner.writer.submit(work, reply).unwrap();
    answer
}

#[test]
fn a_new_store_is_empty_and_the_same_store_is_found_again() {
    let dir = TempDir::new().unwrap();
    let (store, opened) = open(&dir);
    assert!(opened.created && !opened.unclean);
    store.write_blocking(|tx| hub_state::keep_time(tx, UnixMillis(7))).unwrap();
    let (store, opened) = reopen(&dir, store);
    assert_eq!(opened, Opened::default());
    assert_eq!(store.read_blocking(hub_state::last_time).unwrap(), UnixMillis(7));
}

#[test]
fn every_setting_that_durability_hangs_on_is_set() {
    let (_dir, store) = new_store();
    let (journal, synchronous, foreign_keys, id, vacuum): (String, i64, i64, i32, i64) = store
        .write_blocking(|tx| {
            let value = |name| tx.pragma_query_value(None, name, |row| row.get(0));
            let journal = tx.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
            let id = tx.pragma_query_value(None, "application_id", |row| row.get(0))?;
            Ok((journal, value("synchronous")?, value("foreign_keys")?, id, value("auto_vacuum")?))
        })
        .unwrap();
    assert_eq!((journal.as_str(), synchronous, foreign_keys), ("wal", 2, 1));
    assert_eq!((id, vacuum), (connection::APPLICATION_ID, 2));
    let loose: Vec<String> = store
        .read_blocking(|conn| {
            conn.prepare(
                "select name from pragma_table_list where schema = 'main' and type = 'table' and not strict
                 and name not like 'sqlite%' and name not like 'song_vec%'",
            )?
            .query_map([], |row| row.get(0))?
            .collect()
        })
        .unwrap();
    assert_eq!(loose, Vec::<String>::new(), "every table is strict");
}

#[test]
fn a_reader_cannot_write() {
    let (_dir, store) = new_store();
    let result = store.read_blocking(|conn| conn.execute("delete from hub_state", []));
    assert!(matches!(result, Err(StoreError::Io(_) | StoreError::Sqlite(_))), "{result:?}");
}

#[test]
fn a_vote_its_effect_its_taste_and_its_fact_come_together() {
    let (dir, store) = new_store();
    let song = add_song(&store, 1);
    let first = cast(&store, 1, &song, VoteValue::Like);
    assert!(first.recorded && first.previous.is_none());
    let (store, _) = reopen(&dir, store);
    let fact = facts(&store).pop().unwrap();
    assert_eq!((fact.kind, fact.op_id), (FactKind::VoteCast, mint(1)));
    assert_eq!(fact.noun::<Vote>().unwrap(), first.effective);
    let state =
        store.read_blocking(|conn| preferences::get(conn, mint(1), EmbeddingVersion::DESC_V1)).unwrap();
    assert_eq!((state, state.n_like), (first.state, 1));
}

#[test]
fn the_same_vote_again_changes_nothing_and_the_other_value_replaces_it() {
    let (_dir, store) = new_store();
    let song = add_song(&store, 1);
    cast(&store, 1, &song, VoteValue::Like);
    let again = cast(&store, 2, &song, VoteValue::Like);
    assert!(!again.recorded);
    assert_eq!((again.effective.id, facts(&store).len()), (mint(1), 2));
    let replaced = cast(&store, 3, &song, VoteValue::Dislike);
    assert_eq!(replaced.previous, Some(VoteValue::Like));
    let mut disliked = TasteState::default();
    disliked.add(VoteValue::Dislike, &direction(&song).unit);
    assert_eq!(replaced.state, disliked, "what the like added is gone to the last bit");
    let effective = store.read_blocking(|conn| votes::effective(conn, mint(1))).unwrap();
    assert_eq!(effective, [replaced.effective]);
    assert_eq!(store.read_blocking(votes::count).unwrap(), 2, "both stay in the log");
}

#[test]
fn a_song_comes_back_as_it_was_stored() {
    let (_dir, store) = new_store();
    let song = add_song(&store, 1);
    let found = store.read_blocking(songs::all_playable).unwrap();
    assert_eq!(found.iter().map(|found| &found.song).collect::<Vec<_>>(), [&song]);
    let id = song.id;
    assert!(store.write_blocking(move |tx| songs::withdraw(tx, mint(2), id, NOW)).unwrap());
    assert_eq!(store.read_blocking(songs::all_playable).unwrap(), []);
    let by_file = store.read_blocking(move |conn| songs::by_sha256(conn, song.facts.sha256)).unwrap();
    assert_eq!(by_file.unwrap().song.status, SongStatus::Withdrawn);
}

#[test]
fn nobody_pays_for_anothers_mistake() {
    let (_dir, store) = new_store();
    let release = hold_the_writer(&store);
    let before = submit(&store, |tx| hub_state::put(tx, "before", 1));
    let wrong = submit(&store, |tx| tx.execute("insert into nowhere values (1)", []));
    let panics = submit(&store, |tx| -> rusqlite::Result<()> {
        hub_state::put(tx, "half done", 1)?;
        panic!("a mistake in a closure, made on purpose by a test")
    });
    let after = submit(&store, |tx| hub_state::put(tx, "after", 1));
    drop(release);
    assert!(before.blocking_recv().unwrap().is_ok());
    assert!(matches!(wrong.blocking_recv().unwrap(), Err(StoreError::Sqlite(_))));
    assert!(matches!(panics.blocking_recv().unwrap(), Err(StoreError::Panicked)));
    assert!(after.blocking_recv().unwrap().is_ok());
    let value = |key| store.read_blocking(move |conn| hub_state::get::<i64>(conn, key)).unwrap();
    assert_eq!((value("before"), value("half done"), value("after")), (Some(1), None, Some(1)));
}

#[test]
fn what_comes_in_the_same_moment_shares_a_commit() {
    let (_dir, store) = new_store();
    let commits = store.stats().commits;
    let release = hold_the_writer(&store);
    let answers: Vec<_> =
        (0..100).map(|number| submit(&store, move |tx| hub_state::put(tx, "n", number))).collect();
    drop(release);
    for answer in answers {
        answer.blocking_recv().unwrap().unwrap();
    }
    assert_eq!(store.stats().commits - commits, 2, "one for the holder, one for the hundred");
}

#[test]
fn a_full_queue_says_busy_and_loses_nothing_of_what_it_took() {
    let (_dir, store) = new_store();
    let release = hold_the_writer(&store);
    let mut taken = Vec::new();
    let refused = loop {
        let (reply, answer) = oneshot::channel();
        match store.inner.writer.submit(|tx| hub_state::epoch(tx), reply) {
            Ok(()) => taken.push(answer),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Busy) && refused.is_passing());
    assert_eq!(taken.len(), 1024);
    drop(release);
    assert!(taken.into_iter().all(|answer| answer.blocking_recv().unwrap().is_ok()));
}

#[test]
fn closing_writes_what_is_queued_and_refuses_what_comes_later() {
    let (dir, store) = new_store();
    let release = hold_the_writer(&store);
    let put = |number| move |tx: &Tx<'_>| hub_state::put(tx, "queued", number).map(|()| number);
    let queued: Vec<_> = (0..200).map(|number| submit(&store, put(number))).collect();
    drop(release);
    store.close();
    for (number, mut answer) in (0..).zip(queued) {
        assert_eq!(answer.try_recv().unwrap().unwrap(), number, "everybody has their own answer by now");
    }
    assert!(matches!(store.write_blocking(|_| Ok(())), Err(StoreError::Closed)));
    assert!(matches!(store.read_blocking(|_| Ok(())), Err(StoreError::Closed)));
    let (store, opened) = reopen(&dir, store);
    assert!(!opened.unclean);
    assert_eq!(store.read_blocking(|conn| hub_state::get(conn, "queued")).unwrap(), Some(199_i64));
}

#[test]
fn a_question_past_its_deadline_is_cut_off() {
    let dir = TempDir::new().unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    let (store, _) = Store::open(dir.path(), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";
    let answer = store.read_blocking(move |conn| {
        clock.advance(Duration::from_secs(3));
        conn.query_row(endless, [], |row| row.get::<_, i64>(0))
    });
    assert!(matches!(answer, Err(StoreError::TooSlow)), "{answer:?}");
    assert_eq!(store.read_blocking(hub_state::epoch).unwrap(), 1, "the next one is answered");
}

#[test]
fn the_hybrid_clock_never_runs_back_also_after_a_restart() {
    let (dir, store) = new_store();
    let song = add_song(&store, 1);
    let first = cast(&store, 1, &song, VoteValue::Like).effective.hlc;
    let (store, _) = reopen(&dir, store);
    let earlier = UnixMillis(NOW.0 - 86_400_000);
    let next = store.write_blocking(move |tx| Ok(tx.hlc(earlier))).unwrap();
    assert!(first < next, "{first:?} {next:?}");
    assert_eq!(Hlc(0).tick(NOW), Hlc((NOW.0 as u64) << 16));
}

#[test]
fn a_number_of_the_outbox_is_never_used_twice_also_after_a_purge() {
    let (dir, store) = new_store();
    for number in 1..=5 {
        add_song(&store, number);
    }
    store.write_blocking(|tx| outbox::acknowledge(tx, 5)).unwrap();
    let much_later = NOW + Duration::from_hours(24 * 36);
    let purged = store.purge(&Retention::default(), much_later).unwrap();
    assert_eq!(purged.facts, 4, "the newest stays: the chain hangs on it");
    // Even if every row were gone, as after a purge by another program.
    store.write_blocking(|tx| tx.execute("delete from outbox", [])).unwrap();
    assert_eq!(store.read_blocking(outbox::last_seq).unwrap(), 5);
    let (store, _) = reopen(&dir, store);
    add_song(&store, 6);
    assert_eq!(facts(&store)[0].seq, 6);
}

#[test]
fn facts_of_a_hub_without_a_cloud_live_as_long_as_the_history() {
    let (_dir, store) = new_store();
    let song = add_song(&store, 1);
    cast(&store, 1, &song, VoteValue::Like);
    cast(&store, 2, &song, VoteValue::Dislike);
    let after = |days: u64| NOW + Duration::from_hours(24 * days);
    let purge = |days| store.purge(&Retention::default(), after(days)).unwrap();
    let kept_results = Purged { small_things: 2, ..Purged::default() };
    assert_eq!(purge(179), kept_results, "nothing but what only a retry asks for");
    let purged = purge(181);
    assert_eq!((purged.facts, store.read_blocking(votes::count).unwrap()), (2, 1));
    let effective = store.read_blocking(|conn| votes::effective(conn, mint(1))).unwrap();
    assert_eq!(effective.len(), 1, "what counts, counts on");
}

#[test]
fn the_chain_shows_a_changed_fact() {
    let (dir, store) = new_store();
    for number in 1..=3 {
        add_song(&store, number);
    }
    let all = facts(&store);
    assert!(all[0].follows(&[0; 32]) && all[1].follows(&all[0].chain) && all[2].follows(&all[1].chain));
    assert!(all.iter().all(Fact::is_sound));
    store.write_blocking(|tx| tx.execute("update outbox set payload = x'00' where seq = 2", [])).unwrap();
    let (_store, opened) = reopen(&dir, store);
    assert_eq!(opened.unsound_facts, 1);
}

#[test]
fn a_repeated_request_gets_its_first_result_and_nobody_elses() {
    let (_dir, store) = new_store();
    let key: IdempotencyKey = mint(1);
    let alice = mint::<ListenerId>(1).to_bytes();
    let bob = mint::<ListenerId>(2).to_bytes();
    store.write_blocking(move |tx| idempotency::put(tx, alice, key, "vote", &42, NOW)).unwrap();
    let get = |owner, kind: &'static str| {
        store.read_blocking(move |conn| idempotency::get::<i64>(conn, owner, key, kind)).unwrap()
    };
    assert_eq!(get(alice, "vote"), Some(Ok(42)));
    assert_eq!(get(alice, "skip"), Some(Err("vote".into())), "one key, two kinds");
    assert_eq!(get(bob, "vote"), None);
}

#[test]
fn a_repeated_vote_gets_its_first_result_bit_for_bit() {
    let (dir, store) = new_store();
    let song = add_song(&store, 1);
    let vote = |number, prior| {
        let (id, listener, session) = (mint(number), mint(1), mint(number));
        let vote = Vote {
            id,
            listener,
            session,
            song: song.id,
            value: VoteValue::Dislike,
            hlc: Hlc(0),
            cast_at: NOW,
        };
        Ballot { key: mint(number), op: mint(number), vote, direction: None, prior }
    };
    let cast =
        |store: &Store, ballot: Ballot| store.write_blocking(move |tx| ballots::cast(tx, &ballot)).unwrap();
    let with_taste = vote(1, Some([0.1, -0.2, 0.3, 0.0, 1.0]));
    let Cast::New(_, first) = cast(&store, with_taste.clone()) else { panic!("new") };
    assert!(first.taste.is_some() && first.vote.hlc > Hlc(0));
    let Cast::New(again, unchanged) = cast(&store, vote(2, None)) else { panic!("a new request") };
    assert_eq!((again.recorded, unchanged), (false, Voted { vote: first.vote, taste: None }));
    let (store, _) = reopen(&dir, store);
    assert_eq!(cast(&store, with_taste), Cast::Repeated(first));
    assert_eq!(cast(&store, vote(2, None)), Cast::Repeated(unchanged));
    let before =
        |key| store.read_blocking(move |conn| ballots::cast_before(conn, mint(1), mint(key))).unwrap();
    assert_eq!((before(1), before(3)), (Some(Cast::Repeated(first)), None));
    let owner = mint::<ListenerId>(1).to_bytes();
    store.write_blocking(move |tx| idempotency::put(tx, owner, mint(3), "skip", &(), NOW)).unwrap();
    assert_eq!((before(3), cast(&store, vote(3, None))), (Some(Cast::KeyUsed), Cast::KeyUsed));
    assert_eq!(store.read_blocking(votes::count).unwrap(), 1);
}

#[test]
fn a_second_hub_on_the_same_folder_is_refused_by_the_number_of_the_first() {
    let (dir, _store) = new_store();
    let refused = Store::open(dir.path(), Arc::new(ManualClock::at(NOW))).unwrap_err();
    let OpenError::Locked { pid, .. } = &refused else { panic!("{refused}") };
    assert_eq!(*pid, Some(std::process::id()));
}

#[test]
fn a_database_from_before_players_were_paired_is_brought_up_to_date() {
    let (dir, store) = new_store();
    let player = Player {
        id: mint(1),
        name: "bar".to_owned(),
        tag: None,
        zone: mint(2),
        status: PlayerStatus::Idle,
        current_song: None,
        last_seen_at: None,
        volume: 1.0,
        silence_ms: 0,
        created_at: NOW,
        paired: false,
        secret_made_at: None,
        mode: PlayerMode::Playing,
    };
    let added = player.clone();
    store.write_blocking(move |tx| players::insert(tx, mint(3), &added, &[7; 32])).unwrap();
    store.close();
    let file = dir.path().join(FILE_NAME);
    let before = "drop table tickets;
        drop table profiles;
        drop table uploads_put;
        drop table uploads_refused;
        drop index players_next_token;
        alter table players drop column paired;
        alter table players drop column next_token_hash;
        alter table players drop column secret_made_at;
        alter table players drop column mode;
        alter table players drop column volume_order;
        drop index votes_replaced;
        drop index picks_newest_idx;
        alter table votes drop column fact;
        alter table songs drop column born_here;
        alter table songs drop column told;
        alter table songs drop column enabled;
        alter table songs drop column withdrawn_fact;
        alter table songs drop column stored;
        drop table sync_scopes;
        drop table sync_revisions;
        drop table down_rows;
        drop table sync_stage;
        drop table aliases;
        drop table dead_letters;
        drop table pick_occasions;
        drop table fairness_days;
        pragma user_version = 1;";
    Connection::open(&file).unwrap().execute_batch(before).unwrap();
    let (store, _) = Store::open(dir.path(), Arc::new(ManualClock::at(NOW))).unwrap();
    let kept = store.read_blocking(players::all).unwrap();
    assert_eq!(kept, [players::Kept { player: player.clone(), token: [7; 32], next: None, volume_order: 0 }]);
    store.close();
    // A fact of that time says nothing of it either.
    let old = serde_json::json!({
        "id": player.id, "name": "bar", "tag": null, "zone": player.zone, "status": "idle", "current_song": null,
        "last_seen_at": null, "volume": 1.0, "silence_ms": 0, "created_at": NOW,
    });
    assert_eq!(serde_json::from_value::<Player>(old).unwrap(), player);
}

#[test]
fn a_newer_database_and_one_of_somebody_else_are_left_alone() {
    let (dir, store) = new_store();
    store.close();
    let file = dir.path().join(FILE_NAME);
    let alter = |sql| Connection::open(&file).unwrap().execute_batch(sql).unwrap();
    let refusal = || Store::open(dir.path(), Arc::new(ManualClock::at(NOW))).unwrap_err();
    alter("pragma user_version = 99");
    assert!(matches!(refusal(), OpenError::Newer { found: 99, known: migrate::VERSION }), "{}", refusal());
    alter("pragma user_version = 1; pragma application_id = 7");
    assert!(matches!(refusal(), OpenError::Foreign { .. }), "{}", refusal());
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("a file");
    std::fs::write(&file, "in the way").unwrap();
    let refused = Store::open(&file, Arc::new(ManualClock::at(NOW))).unwrap_err();
    assert!(matches!(&refused, OpenError::NotWritable { path, .. } if *path == file), "{refused}");
}

#[test]
fn a_backup_is_complete_and_restores_with_a_new_epoch() {
    let (dir, store) = new_store();
    let song = add_song(&store, 1);
    let backup = dir.path().join("elsewhere.db");
    store.backup_to(&backup).unwrap();
    cast(&store, 1, &song, VoteValue::Like);
    store.close();
    drop(store);
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(NOW));
    let restored = restore(&backup, dir.path(), &clock).unwrap();
    assert!(restored.kept_at.unwrap().join(FILE_NAME).exists(), "what stood there is kept");
    let (store, opened) = open(&dir);
    assert_eq!(opened, Opened::default());
    assert_eq!(store.read_blocking(votes::count).unwrap(), 0);
    assert_eq!(store.read_blocking(hub_state::epoch).unwrap(), 2);
    let not_a_backup = dir.path().join("hub.lock");
    drop(store);
    assert!(matches!(restore(&not_a_backup, dir.path(), &clock), Err(OpenError::Foreign { .. })));
}

#[test]
fn a_close_look_finds_an_index_that_is_not_its_tables_and_makes_it_anew() {
    let (dir, store) = new_store();
    let song = add_song(&store, 7);
    cast(&store, 1, &song, VoteValue::Like);
    cast(&store, 2, &song, VoteValue::Dislike);
    assert_eq!(store.look_closely().unwrap(), Soundness::Sound);
    store.close();
    drop(store);
    // The index is to have other columns from now on than it has.
    let conn = Connection::open(dir.path().join(FILE_NAME)).unwrap();
    conn.execute_batch(
        "pragma writable_schema = on;
         update sqlite_schema
             set sql = 'create unique index votes_effective on votes (song, listener) where counts = 1'
             where name = 'votes_effective';",
    )
    .unwrap();
    drop(conn);
    let (store, opened) = open(&dir);
    assert_eq!(opened.restored, None, "the short look does not see it");
    let looked = store.look_closely().unwrap();
    assert!(matches!(&looked, Soundness::Mended(found) if found.contains("votes_effective")), "{looked:?}");
    assert_eq!(store.look_closely().unwrap(), Soundness::Sound);
}

#[test]
fn a_close_look_gives_way_where_the_log_has_to_be_cut() {
    let (_dir, store) = new_store();
    for number in 1..=400 {
        add_song(&store, number);
    }
    store.inner.gate.hurry();
    assert!(matches!(store.look_closely(), Err(StoreError::TooSlow)));
    store.inner.gate.set_closed(false);
    assert_eq!(store.look_closely().unwrap(), Soundness::Sound);
}

#[test]
fn what_is_read_of_everybody_here_is_what_is_read_of_each() {
    let (_dir, store) = new_store();
    let songs: Vec<Song> = (1..=3).map(|number| add_song(&store, number)).collect();
    let zone = mint(1);
    for number in 1..=5_u64 {
        let session = Session {
            id: mint(number),
            listener: mint(number),
            device: mint(number),
            zone,
            display_name: None,
            status: if number == 5 { SessionStatus::Ended } else { SessionStatus::Active },
            checked_in_at: NOW,
            last_seen_at: NOW,
            expires_at: NOW + Duration::from_hours(1),
        };
        let token = [number as u8; 32];
        store.write_blocking(move |tx| sessions::insert(tx, mint(number), &session, &token)).unwrap();
        // The fourth has not voted; the others have, for as many songs as their number, and changed their mind once.
        for (at, song) in songs.iter().enumerate().filter(|(at, _)| number != 4 && *at < number as usize) {
            for (times, value) in [(0, VoteValue::Dislike), (1, VoteValue::Like)] {
                let (id, direction) = (1000 + number * 100 + at as u64 * 10 + times, direction(song));
                let (vote, song) = (mint(id), song.id);
                let vote = Vote {
                    id: vote,
                    listener: mint(number),
                    session: mint(number),
                    song,
                    value,
                    hlc: Hlc(0),
                    cast_at: NOW,
                };
                let ballot =
                    Ballot { key: mint(id), op: mint(id), vote, direction: Some(direction), prior: None };
                store.write_blocking(move |tx| ballots::cast(tx, &ballot)).unwrap();
            }
        }
    }
    let read = |conn: &Snapshot| {
        let states = preferences::all_active(conn, EmbeddingVersion::CURRENT)?;
        let mut counting = votes::effective_of_active(conn)?;
        counting.sort_by_key(|vote| (vote.listener, std::cmp::Reverse(vote.hlc)));
        let (mut one_by_one, mut cast) = (Vec::new(), Vec::new());
        for number in 1..=4 {
            let listener = mint(number);
            let state = preferences::get(conn, listener, EmbeddingVersion::CURRENT)?;
            assert_eq!(
                states.iter().find(|(one, _)| *one == listener).map(|(_, state)| *state).unwrap_or_default(),
                state
            );
            one_by_one.extend(votes::effective(conn, listener)?);
            cast.extend(
                votes::cast_since(conn, listener, UnixMillis(NOW.0 - 1))?
                    .into_iter()
                    .map(|at| (listener, at)),
            );
        }
        assert_eq!(states.len(), 3);
        assert_eq!(counting, one_by_one);
        let mut all_cast = votes::all_cast_since(conn, UnixMillis(NOW.0 - 1))?;
        all_cast.retain(|(listener, _)| *listener != mint(5));
        all_cast.sort();
        assert_eq!(all_cast, cast);
        Ok(cast.len())
    };
    assert_eq!(store.read_blocking(read).unwrap(), 12);
}

#[test]
fn two_backups_and_one_of_an_earlier_day_are_kept() {
    let dir = TempDir::new().unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    let (store, _) = Store::open(dir.path(), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    for _ in 0..60 {
        store.back_up().unwrap().unwrap();
        clock.advance(Duration::from_hours(1));
    }
    let mut names: Vec<_> = std::fs::read_dir(dir.path().join("backups"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let day = |name: &str| name[4..19].parse::<i64>().unwrap() / 86_400_000;
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(day(&names[0]) < day(&names[1]) && names.iter().all(|name| backup_is_sound(dir.path(), name)));
}

fn backup_is_sound(dir: &Path, name: &str) -> bool {
    backup::is_sound(&dir.join("backups").join(name))
}
