//! A week without a cloud, in compressed time, and back.
//!
//! The venue's computer is switched off each night: each day is a start of the machine of its own, whose wall clock shows
//! that day. What is compressed is the nights. The player in the bar is never switched off and plays in real time; the
//! terrace has a dumb terminal, which has no patience.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use roomtone_hub::cloud_link::Enrolment;
use roomtone_hub::store::down_rows;
use roomtone_schema::{Clock as _, SystemClock, UnixMillis};
use roomtone_sync::credential::SigningKey;
use roomtone_sync::transport::{Address, Client, Internet};
use roomtone_sync::wire::{DigestAnswer, DigestAsk, Scope};
use roomtone_tests::{
    Guest, Line, Loudspeaker, Proxy, TestCloud, TestTerminal, TestVenue, eventually_within, faketime,
    machines_can_be_restarted, new_key, skip, write_tone, write_tones,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::evening::{all_files_here, everybody_votes, own_songs_are_ready};
use crate::ledger::{HubLedger, Ledger};
use crate::pair::{AFTER_FAULTS, IN_STEP, Pair, no_limits};

/// Songs that were on the hub before it had a cloud. The first of them is at the cloud, too.
const OWN: u32 = 3;

/// Songs that the manager brings in.
const FROM_CLOUD: u32 = 4;

/// Who comes each evening. The first has an account.
const GUESTS: [&str; 5] = ["ana", "bo", "cleo", "dan", "eve"];

/// What the terrace hears in an evening.
const ON_THE_TERRACE: usize = 12;

/// The evenings without a cloud.
const AWAY: std::ops::RangeInclusive<u64> = 1..=6;

/// The evening on which it is back.
const BACK: u64 = 7;

const DAY: Duration = Duration::from_hours(24);

/// Two clocks that were compared over a busy line may differ by so much.
const COMPARED: Duration = Duration::from_secs(10);

const FADE_MS: u32 = 1_000;

/// What a hub may warn of whose cloud has gone, and which is killed on two evenings.
const IN_THE_WEEK: [&str; 1] = ["ticket"];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_week_without_a_cloud_is_told_whole_and_once() {
    let test = "a_week_without_a_cloud_is_told_whole_and_once";
    let Some(mut week) = Week::begin(test).await else { return };
    week.first_evening().await;
    week.cut();
    week.ana_signs_in().await;
    for day in AWAY {
        week.night(day);
        week.evening(day).await;
    }
    week.back().await;
    week.all_is_told().await;
    week.end();
}

struct Week {
    pair: Pair,
    media_line: Proxy,
    player: Loudspeaker,
    terrace: TestTerminal,
    guests: Vec<Guest>,
    /// Somebody else's phone, which asks how the hub is.
    watcher: Guest,
    began: UnixMillis,
    boots: tempfile::TempDir,
    account: String,
    ticket: String,
    late_ticket: String,
}

impl Week {
    /// A venue with a few songs, whose cloud knows it and has not been heard of yet; `None`, and said so, where this machine
    /// cannot do that.
    async fn begin(test: &str) -> Option<Self> {
        let boots = tempfile::tempdir().unwrap();
        std::fs::write(boot_of(&boots, 0), new_key()).unwrap();
        if !machines_can_be_restarted(&boot_of(&boots, 0)) {
            skip(test, "mounts cannot be made here (that needs root)");
            return None;
        }
        let today = faketime::fixed(test, "+0d")?;
        let media_line = Proxy::to_nowhere().await;
        let Some(cloud) = TestCloud::open_with_env([("S3_PUBLIC_ENDPOINT", media_line.url())]) else {
            skip(test, "no Postgres for tests is installed (tests/run does that)");
            return None;
        };
        media_line.leads_to(cloud.media_port());
        let at_cloud = cloud.venue("Cafe Resonance", "resonance").await;
        let terrace = json!({ "venueId": at_cloud, "name": "terrace" });
        cloud.mutate("createZone", "CreateZoneInput", terrace, "zone { id }").await;
        let venue = TestVenue::closed();
        write_tones(&venue.library(), OWN, 6);
        let mut venue = venue.import();
        venue.open_on_boot(&boot_of(&boots, 0), settings(today));
        let line = Proxy::to(cloud.port()).await;
        let mut guests = Vec::new();
        for name in GUESTS {
            guests.push(venue.check_in(name).await);
        }
        Some(Self {
            media_line,
            player: Loudspeaker::at(&venue, "bar"),
            terrace: venue.terminal_in("terrace", "terrace"),
            watcher: venue.check_in("watcher").await,
            guests,
            began: SystemClock::new().wall(),
            boots,
            account: cloud.token_of("ana@roomtone.test"),
            ticket: String::new(),
            late_ticket: String::new(),
            pair: Pair { cloud, at_cloud, venue, line },
        })
    }

    /// Enrolled, a catalogue with files from there, over a line that breaks off again and again.
    async fn first_evening(&mut self) {
        let pair = &self.pair;
        everybody_votes(&self.guests, 1).await;
        self.terrace.plays_one().await;
        let known = pair.venue.library().join("tone 000.wav");
        pair.cloud.brings_in(&pair.at_cloud, &known, "The one that both have").await;
        pair.enrol().await;
        pair.in_step(&self.watcher).await;
        pair.line.becomes(Line::Silent);
        for number in 0..FROM_CLOUD {
            let file = pair.cloud.data().join(format!("{number}.wav"));
            write_tone(&file, 90.0 + 37.0 * number as f32, 6);
            pair.cloud.brings_in(&pair.at_cloud, &file, &from_cloud(number)).await;
        }
        // Less than a file.
        self.media_line.becomes(Line::CutAfter(100_000));
        pair.line.becomes(Line::Good);
        eventually_within(IN_STEP, "files break off", async || self.media_line.cuts() >= 2).await;
        self.media_line.becomes(Line::Good);
        all_files_here(&self.watcher, (OWN + FROM_CLOUD) as usize).await;
        own_songs_are_ready(pair, (OWN + FROM_CLOUD) as usize).await;

        self.player.pair(&pair.venue);
        self.player.start();
        eventually_within(IN_STEP, "the bar plays", async || self.player.title().is_some()).await;
        everybody_votes(&self.guests, 2).await;
        self.terrace_plays().await;
        self.ticket = pair.cloud.ticket(&self.account, &pair.at_cloud).await;
        self.late_ticket = pair.cloud.ticket(&self.account, &pair.at_cloud).await;
        pair.in_step(&self.watcher).await;
    }

    /// The line is dead, and at its other end somebody switches off as well.
    fn cut(&mut self) {
        self.pair.line.becomes(Line::Silent);
        self.media_line.becomes(Line::Silent);
        self.pair.cloud.stop(&[]);
    }

    /// Nobody can be asked who she is: her ticket says it, once.
    async fn ana_signs_in(&self) {
        let (ana, bo) = (&self.guests[0], &self.guests[1]);
        let songs = ana.songs().await.len();
        let signed_in = sign_in(ana, &self.ticket).await;
        assert_eq!(signed_in["userErrors"], json!([]));
        assert_eq!(signed_in["claimedVotes"], songs, "what she said as a guest is hers");
        assert_eq!(sign_in(bo, &self.ticket).await["userErrors"][0]["code"], "FORBIDDEN");
        assert_eq!(ana.votes().await.len(), songs);
    }

    /// The venue's computer is switched off, on some nights by its plug, and on again on another day.
    fn night(&mut self, day: u64) {
        let venue = &mut self.pair.venue;
        if day % 3 == 2 {
            venue.power_cut();
        } else {
            venue.close_apart_from(&expected());
        }
        let boot = boot_of(&self.boots, day);
        std::fs::write(&boot, new_key()).unwrap();
        let today = faketime::fixed("a day", &format!("+{day}d")).expect("there was a first day");
        venue.open_on_boot(&boot, settings(today));
    }

    /// The same people on the same phones; the bar plays on.
    async fn evening(&mut self, day: u64) {
        let code = self.pair.venue.code().to_owned();
        for (guest, name) in self.guests.iter_mut().zip(GUESTS) {
            guest.check_in(&code, name).await;
        }
        self.watcher.check_in(&code, "watcher").await;
        if day == *AWAY.start() {
            let refused = sign_in(&self.guests[1], &self.late_ticket).await;
            assert_eq!(refused["userErrors"][0]["code"], "FORBIDDEN", "a ticket of yesterday");
        }
        everybody_votes(&self.guests, day as usize + 2).await;
        self.terrace_plays().await;
        if day.is_multiple_of(2) {
            let before = self.plays_in_the_bar();
            let told = "the bar tells what it has played meanwhile";
            eventually_within(IN_STEP, told, async || before < self.plays_in_the_bar()).await;
        }
    }

    async fn terrace_plays(&self) {
        for _ in 0..ON_THE_TERRACE {
            self.terrace.plays_one().await;
        }
    }

    fn plays_in_the_bar(&self) -> i64 {
        let query = "select count(*) from songs_playing where ended is not null and player in (select id from players where name = 'bar')";
        HubLedger::of(&self.pair.venue).connection().query_row(query, [], |row| row.get(0)).unwrap()
    }

    /// A cloud that has gone on meanwhile, and a line that is bad at first.
    async fn back(&mut self) {
        let that_day = faketime::fixed("the last day", &format!("+{BACK}d")).expect("there was a first day");
        self.pair.cloud.set_env(that_day);
        self.pair.cloud.start();
        self.media_line.leads_to(self.pair.cloud.media_port());
        self.media_line.becomes(Line::Good);
        self.news_at_the_cloud().await;

        self.night(BACK);
        self.evening(BACK).await;
        self.pair.line.becomes(Line::CutAfter(3_000));
        eventually_within(IN_STEP, "connections are cut", async || self.pair.line.cuts() >= 2).await;
        self.pair.line.becomes(Line::Slow(Duration::from_millis(20)));
        println!("in step after {:?}", self.pair.in_step(&self.watcher).await);
        self.pair.line.becomes(Line::Good);
        let log = self.player.stop(&["hub", "Hub"]);
        println!("the bar: {} lines of its log", log.len());
        all_files_here(&self.watcher, (OWN + FROM_CLOUD) as usize).await;
        self.pair.in_step(&self.watcher).await;
    }

    /// The manager has brought in one song and withdrawn another.
    async fn news_at_the_cloud(&self) {
        let Pair { cloud, at_cloud, .. } = &self.pair;
        let file = cloud.data().join("news.wav");
        write_tone(&file, 300.0, 6);
        cloud.brings_in(at_cloud, &file, "While you were away").await;
        let songs =
            cloud.ask("{ songs(first: 50) { nodes { id title } } }", json!({})).await["songs"].clone();
        let songs = songs["nodes"].as_array().expect("songs");
        let gone = songs.iter().find(|song| song["title"] == from_cloud(0)).expect("it was there");
        cloud
            .mutate("withdrawSong", "WithdrawSongInput", json!({ "id": gone["id"] }), "song { status }")
            .await;
    }

    /// Everything is on both sides, once, and says the same.
    async fn all_is_told(&self) {
        let (votes, plays) = self.pair.told_exactly_once().await;
        let bar = self.plays_in_the_bar();
        println!("{votes} votes and {plays} plays of a week told once, {bar} of them by the bar's player");
        let (hub, mut ledger) = (HubLedger::of(&self.pair.venue), Ledger::of(&self.pair.cloud).await);

        let (here, there) = (hub.times(), ledger.times().await);
        let far = |(id, at): (&Uuid, &UnixMillis)| {
            let mended = there[id];
            (COMPARED < at.since(mended).max(mended.since(*at))).then_some((*id, *at, mended))
        };
        assert_eq!(here.iter().filter_map(far).collect::<Vec<_>>(), [], "dated otherwise");
        let days: BTreeSet<i64> =
            there.values().map(|at| (at.0 - self.began.0) / DAY.as_millis() as i64).collect();
        assert_eq!(days.len() as u64, BACK + 1, "a week and its first day: {days:?}");

        let tastes = hub.tastes();
        assert_eq!(tastes, ledger.tastes().await, "one taste on both sides, bit by bit");
        let [(ana, taste)] = tastes.iter().collect::<Vec<_>>()[..] else { panic!("{tastes:?}") };
        assert!(i64::from(OWN + FROM_CLOUD) <= taste.0 + taste.2, "all that she ever said counts: {taste:?}");
        let claimed: BTreeMap<Uuid, Uuid> = ledger.claimed().await;
        assert_eq!(claimed.values().collect::<Vec<_>>(), [ana], "whom the guest turned out to be");

        self.digests_are_equal(&hub).await;
        self.reports_tell_every_second(&hub).await;
    }

    async fn digests_are_equal(&self, hub: &HubLedger) {
        let text = "select value from hub_state where key = 'enrolment'";
        let text: String = hub.connection().query_row(text, [], |row| row.get(0)).unwrap();
        let me: Enrolment = serde_json::from_str(&text).unwrap();
        let key = SigningKey::from_seed(&std::fs::read(self.pair.venue.data().join("cloud-key")).unwrap());
        let (address, clock) = (Address::parse(&me.url).unwrap(), Arc::new(SystemClock::new()));
        let cloud = Client::new(Internet::new(), address, me.hub, Arc::new(key.unwrap()), clock);
        for scope in [Scope::Catalogue(me.organisation), Scope::Venue(me.venue)] {
            let told: DigestAnswer = cloud.ask("/v1/sync/digest", &DigestAsk { scope }).await.unwrap();
            let theirs: Vec<[u8; 16]> = told.buckets.iter().map(|bucket| **bucket).collect();
            assert!(theirs.iter().any(|sum| *sum != [0; 16]), "nothing is in {scope:?}");
            assert_eq!(down_rows::digest_of(hub.connection(), scope).unwrap(), theirs, "{scope:?}");
        }
    }

    /// A report of all of it, and one of the days without a cloud.
    async fn reports_tell_every_second(&self, hub: &HubLedger) {
        let ranges = [
            (self.began - DAY, self.began + DAY * 9),
            (self.began + DAY / 2, self.began + DAY * 6 + DAY / 2),
        ];
        for (from, to) in ranges {
            let heard = hub.seconds_heard(from, to);
            assert!(0 < heard);
            for kind in ["REPORT", "PLAYS"] {
                let lines = self.report(kind, from, to).await;
                let seconds =
                    lines.iter().map(|line| line.rsplit(',').next().unwrap().parse::<i64>().unwrap());
                assert_eq!(seconds.sum::<i64>(), heard, "{kind} from {from:?} to {to:?}");
            }
        }
    }

    /// The lines of a report as the manager gets it, without its head.
    async fn report(&self, kind: &str, from: UnixMillis, to: UnixMillis) -> Vec<String> {
        let cloud = &self.pair.cloud;
        let range = json!({ "from": date(from), "to": date(to) });
        let input = json!({ "venueId": self.pair.at_cloud, "kind": kind, "format": "CSV", "range": range });
        let made =
            cloud.mutate("createHistoryExport", "CreateHistoryExportInput", input, "export { id }").await;
        let query =
            "query($id: ID!) { node(id: $id) { ... on HistoryExport { status failure downloadUrl } } }";
        let mut export = Value::Null;
        eventually_within(IN_STEP, "the report is written", async || {
            export = cloud.ask(query, json!({ "id": made["export"]["id"] })).await["node"].clone();
            assert_ne!(export["status"], "FAILED", "{export:#}");
            export["status"] == "READY"
        })
        .await;
        let text = reqwest::get(export["downloadUrl"].as_str().unwrap()).await.unwrap().text().await.unwrap();
        let mut lines = text.lines().map(str::to_owned);
        assert!(lines.next().unwrap().ends_with("SECONDS_HEARD"), "{text}");
        lines.collect()
    }

    fn end(mut self) {
        self.pair.venue.close_apart_from(&expected());
        self.pair.cloud.stop(&[]);
    }
}

fn boot_of(boots: &tempfile::TempDir, day: u64) -> PathBuf {
    boots.path().join(day.to_string())
}

fn from_cloud(number: u32) -> String {
    format!("From the cloud {number}")
}

fn expected() -> Vec<&'static str> {
    AFTER_FAULTS.iter().chain(&IN_THE_WEEK).copied().collect()
}

/// A hub on some day, with two zones.
fn settings(today: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    let fades = ["ROOMTONE_ZONES_MAIN_CROSSFADE_MS", "ROOMTONE_ZONES_TERRACE_CROSSFADE_MS"];
    let fades = fades.into_iter().map(|name| (name, FADE_MS.to_string()));
    today.into_iter().chain(no_limits()).chain(fades).collect()
}

async fn sign_in(guest: &Guest, ticket: &str) -> Value {
    let input = json!({ "ticket": ticket, "claimVotes": true });
    guest.mutate("signIn", "SignInInput", input, "claimedVotes").await.data()["signIn"].clone()
}

/// A time as GraphQL writes it.
fn date(at: UnixMillis) -> String {
    sqlx::types::chrono::DateTime::from_timestamp_millis(at.0).expect("a time").to_rfc3339()
}
