//! Postgres as hubs use it: what [`CloudStore`] asks, each in one transaction in the hub's own name.

use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::{HubId, SongId, UnixMillis, ZoneId};
use roomtone_sync::clocks::Sample;
use roomtone_sync::fencing::{self, Decision};
use roomtone_sync::store::{CloudStore, KnownHub};
use roomtone_sync::wire::{
    BUCKETS, Cursor, DigestAnswer, Hash, Head, HeardAnswer, HeardAsk, Hello, HelloAnswer, MOST_ROWS, Page,
    Problem, ProblemCode, PullAsk, Push, PushAnswer, RoomTold, RowsAnswer, RowsAsk, Scope, Standing,
    revisions,
};
use serde_bytes::ByteArray;

use crate::bus::{Bus, Topic};
use crate::database::{Database, Work};
use crate::ingest;
use crate::rooms;
use crate::store::{aliases, enrolment, fares, feed, guests, sync_state};

/// Of what was heard, so much is told at once.
const MOST_HEARD: i64 = 10_000;

/// Facts that say what is heard.
const PLAYS: [&str; 2] = ["play_started", "play_ended"];

/// Of what a zone hears next, so many songs are kept for guests.
const MOST_NEXT: usize = 5;

/// The cloud's database, for hubs.
#[derive(Debug, Clone)]
pub struct PgStore {
    database: Database,
    ticket_keys: Arc<[Hash]>,
    /// Who hears of what rooms show.
    bus: Option<Bus>,
    /// How often a hub may say what has changed, besides its regular word; zero: not at all.
    news_every: Duration,
}

impl PgStore {
    /// Hubs are told these public keys, newest first: they verify check-in tickets by them, and so does this.
    pub fn new(database: Database, ticket_keys: &[Hash]) -> Self {
        Self { database, ticket_keys: ticket_keys.into(), bus: None, news_every: Duration::ZERO }
    }

    /// One that tells whoever looks at a room when it shows something else.
    #[must_use]
    pub fn telling(self, bus: Bus) -> Self {
        Self { bus: Some(bus), ..self }
    }

    /// One that is told between two hellos of what has changed, so often at most.
    #[must_use]
    pub fn hearing(self, news_every: Duration) -> Self {
        Self { news_every, ..self }
    }

    fn shows_something_else(&self, hub: &KnownHub) {
        if let Some(bus) = &self.bus {
            bus.publish(Topic::Room(hub.venue));
        }
    }

    async fn begin(&self, hub: &KnownHub) -> Result<Work, Problem> {
        let mut work = self.database.as_hub(hub.id, hub.venue).await.map_err(failed)?;
        if !sync_state::is_welcome(&mut work).await.map_err(failed)? {
            return Err(refusal(ProblemCode::Revoked, "this hub was told to go"));
        }
        Ok(work)
    }

    /// A reading in one snapshot, of a scope that is the hub's.
    async fn look(&self, hub: &KnownHub, scope: Scope) -> Result<Work, Problem> {
        let mut work = self.database.as_hub_in_one_snapshot(hub.id, hub.venue).await.map_err(failed)?;
        if !sync_state::is_welcome(&mut work).await.map_err(failed)? {
            return Err(refusal(ProblemCode::Revoked, "this hub was told to go"));
        }
        if hub.scopes().contains(&scope) {
            Ok(work)
        } else {
            Err(refusal(ProblemCode::NotFound, "this scope is none of this hub's"))
        }
    }

    async fn settle(
        &self,
        work: &mut Work,
        hub: &KnownHub,
        hello: &Hello,
        now: UnixMillis,
    ) -> Result<Decision, sqlx::Error> {
        let (seat, is_taken) = sync_state::lock(work, hub.id).await?;
        let link = match hello.acked {
            0 => Some(roomtone_sync::chain::BEGINNING),
            acked if acked == seat.ack => seat.chain,
            acked => sync_state::link_at(work, hub.id, seat.epoch, acked).await?,
        };
        let decision = fencing::decide(is_taken.then_some(&seat), hello, link, now);
        let is_fenced = decision.standing == Standing::Fenced;
        if !is_fenced {
            sync_state::put(work, hub.id, &decision.seat).await?;
        }
        if let Some(news) = decision.news {
            sync_state::note_news(work, hub.id, news.word(), is_fenced.then_some(hello.instance), now)
                .await?;
            tracing::warn!(hub = %hub.id, news = news.word(), epoch = decision.seat.epoch, "a hub's standing has changed");
        }
        Ok(decision)
    }

    async fn greet(
        &self,
        work: &mut Work,
        hub: &KnownHub,
        hello: &Hello,
        now: UnixMillis,
    ) -> Result<(HelloAnswer, bool), sqlx::Error> {
        let decision = self.settle(work, hub, hello, now).await?;
        let mut is_other = false;
        if decision.standing == Standing::Welcome {
            let sample = Sample { boot: hello.now.boot, mono_ms: hello.now.mono_ms, cloud: now };
            sync_state::add_sample(work, hub.id, sample).await?;
            sync_state::note_hub(work, hub.id, hello, now).await?;
            sync_state::put_zones(work, hub.id, hub.venue, &hello.zones).await?;
            sync_state::note_players(work, hub.id, hub.venue, &hello.players).await?;
            fares::note(work, hub.id, hub.venue, &hello.zones, now).await?;
            is_other = note_rooms(work, hub, hello, now).await?;
        }
        let (venue_name, hub_name) = sync_state::names(work, hub.id).await?;
        let mut heads = Vec::new();
        for scope in hub.scopes() {
            heads.push(Head { scope, seq: feed::bounds(work, scope).await?.head });
        }
        let answer = HelloAnswer {
            standing: decision.standing,
            now,
            epoch: decision.seat.epoch,
            ack: decision.ack,
            lease_ms: u64::try_from(fencing::LEASE.as_millis()).unwrap_or(u64::MAX),
            heads,
            revisions: revisions(),
            ticket_keys: self.ticket_keys.iter().map(|key| ByteArray::new(*key)).collect(),
            venue_name,
            hub_name,
            news_every_ms: u64::try_from(self.news_every.as_millis()).unwrap_or(u64::MAX),
        };
        Ok((answer, is_other))
    }
}

impl CloudStore for PgStore {
    async fn hub(&self, hub: HubId) -> Result<Option<KnownHub>, Problem> {
        let mut work = self.database.as_service().await.map_err(failed)?;
        let known = sync_state::known_hub(&mut work, hub).await.map_err(failed)?;
        if known.is_none() && enrolment::is_revoked(&mut work, hub).await.map_err(failed)? {
            return Err(refusal(ProblemCode::Revoked, "this hub was told to go"));
        }
        Ok(known)
    }

    async fn turn_key(&self, hub: &KnownHub, key: &Hash) -> Result<(), Problem> {
        let mut work = self.begin(hub).await?;
        enrolment::turn_key(&mut work, key).await.map_err(failed)?;
        work.commit().await.map_err(failed)
    }

    async fn hello(&self, hub: &KnownHub, hello: Hello, now: UnixMillis) -> Result<HelloAnswer, Problem> {
        let mut work = self.begin(hub).await?;
        let (answer, is_other) = self.greet(&mut work, hub, &hello, now).await.map_err(failed)?;
        work.commit().await.map_err(failed)?;
        if is_other {
            self.shows_something_else(hub);
        }
        Ok(answer)
    }

    async fn push(&self, hub: &KnownHub, push: Push, now: UnixMillis) -> Result<PushAnswer, Problem> {
        let mut work = self.begin(hub).await?;
        let has_plays = push.facts.kinds().iter().any(|kind| PLAYS.contains(&kind.as_str()));
        let answer = ingest::push(&mut work, hub, push, &self.ticket_keys, now).await?;
        work.commit().await.map_err(failed)?;
        if has_plays {
            self.shows_something_else(hub);
        }
        Ok(answer)
    }

    async fn pull(&self, hub: &KnownHub, ask: PullAsk) -> Result<Page, Problem> {
        let mut work = self.look(hub, ask.scope).await?;
        let bounds = feed::bounds(&mut work, ask.scope).await.map_err(failed)?;
        let from = if ask.from.seq == 0 { Cursor::default() } else { ask.from };
        if from.seq < bounds.floor || from.seq > bounds.head {
            return Err(diverged());
        }
        if from.seq > 0 && feed::tag(&mut work, ask.scope, from.seq).await.map_err(failed)? != Some(from.tag)
        {
            return Err(diverged());
        }
        let limit = i64::from(ask.limit.clamp(1, MOST_ROWS));
        let pointers = feed::pointers(&mut work, ask.scope, from.seq, limit).await.map_err(failed)?;
        let to = pointers.last().map_or(from, |last| last.at);
        let mut seen = std::collections::HashSet::new();
        let keys = pointers.into_iter().map(|pointer| pointer.key);
        // What has changed again behind this page comes with that change: a hub has nothing newer than its cursor, so a
        // cursor that still holds after a restore of ours vouches for all that it has.
        let keys: Vec<_> =
            keys.filter(|key| key.version <= to.seq && seen.insert((key.kind.clone(), key.pk))).collect();
        let rows = feed::rows(&mut work, ask.scope, &keys).await.map_err(failed)?;
        Ok(Page { scope: ask.scope, from, to, head: bounds.head, changes: to.seq - from.seq, rows })
    }

    async fn digest(&self, hub: &KnownHub, scope: Scope) -> Result<DigestAnswer, Problem> {
        let mut work = self.look(hub, scope).await?;
        let at = feed::end(&mut work, scope).await.map_err(failed)?;
        let mut buckets = vec![ByteArray::new([0; 16]); BUCKETS];
        for (bucket, sum) in feed::digest(&mut work, scope).await.map_err(failed)? {
            buckets[usize::from(bucket)] = ByteArray::new(sum);
        }
        Ok(DigestAnswer { scope, at, buckets })
    }

    async fn rows(&self, hub: &KnownHub, ask: RowsAsk) -> Result<RowsAnswer, Problem> {
        let mut work = self.look(hub, ask.scope).await?;
        let at = feed::end(&mut work, ask.scope).await.map_err(failed)?;
        let limit = i64::from(ask.limit.clamp(1, MOST_ROWS));
        let place = feed::Place {
            kinds: ask.kinds,
            buckets: ask.buckets.into_iter().map(i16::from).collect(),
            after: ask.after,
        };
        let mut keys = feed::keys(&mut work, ask.scope, &place, limit + 1).await.map_err(failed)?;
        let more = keys.len() as i64 > limit;
        keys.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let rows = feed::rows(&mut work, ask.scope, &keys).await.map_err(failed)?;
        Ok(RowsAnswer { scope: ask.scope, at, rows, more })
    }

    async fn heard(&self, hub: &KnownHub, ask: HeardAsk) -> Result<HeardAnswer, Problem> {
        let mut work = self.begin(hub).await?;
        let heard =
            sync_state::heard(&mut work, hub.id, hub.venue, ask.since, MOST_HEARD).await.map_err(failed)?;
        let heard = heard.into_iter().map(|(zone, song, at)| (ZoneId(zone), SongId(song), at)).collect();
        Ok(HeardAnswer { heard })
    }

    async fn heads_since(&self, since: i64) -> Result<(Vec<Head>, i64), Problem> {
        let mut work = self.database.as_service().await.map_err(failed)?;
        feed::moved(&mut work, since).await.map_err(failed)
    }
}

/// Notes what a hub's zones show, by the catalogue's names and the cloud's time. Whether that is something else than before.
async fn note_rooms(
    work: &mut Work,
    hub: &KnownHub,
    hello: &Hello,
    now: UnixMillis,
) -> Result<bool, sqlx::Error> {
    if hello.rooms.is_empty() {
        return Ok(false);
    }
    let zones = aliases::zones(work, hub.id).await?;
    let of_rooms = hello.rooms.iter();
    let told_of: Vec<SongId> = of_rooms
        .flat_map(|room| {
            let listed = room.next.iter().chain(&room.ahead).copied();
            room.now.iter().map(|now| now.song).chain(listed)
        })
        .collect();
    let names = aliases::songs(work, &told_of).await?;
    let ours = |song: SongId| names.get(&song).copied().unwrap_or(song);
    let listed = |songs: &[SongId]| songs.iter().take(MOST_NEXT).map(|song| ours(*song)).collect();
    let shift = now.0.saturating_sub(hello.steady_ms);
    let told = |room: &RoomTold| {
        let now = room.now.map(|playing| guests::Playing {
            song: ours(playing.song),
            started_at: UnixMillis(playing.started_at.0.saturating_add(shift)),
            position_ms: playing.position_ms,
            skip_votes: playing.skip_votes,
            skip_votes_needed: playing.skip_votes_needed,
        });
        let told = guests::Told {
            now,
            next: listed(&room.next),
            axes: room.vibe.axes.map(|axis| if axis.is_finite() { axis.clamp(-1.0, 1.0) } else { 0.0 }),
            consensus: if room.vibe.consensus.is_finite() {
                room.vibe.consensus.clamp(0.0, 1.0)
            } else {
                0.0
            },
            listeners: room.vibe.listeners,
            source: room.vibe.source.chars().take(20).filter(char::is_ascii_lowercase).collect(),
            needs_screen_code: room.needs_screen_code,
            hours: room.hours.clone(),
        };
        zones.get(&room.zone.0).map(|zone| (*zone, (told, listed(&room.ahead))))
    };
    let rooms: Vec<(_, guests::News)> = hello.rooms.iter().filter_map(told).collect();
    let before = guests::rooms_told(work, hub.venue).await?;
    guests::tell_rooms(work, hub.id, hub.venue, &rooms, now).await?;
    let is_same = |(zone, news)| before.get(zone).is_some_and(|before| rooms::shows_the_same(before, news));
    Ok(!rooms.iter().map(|(zone, news)| (zone, news)).all(is_same))
}

/// A refusal of a hub's question.
pub(crate) fn refusal(code: ProblemCode, message: &str) -> Problem {
    Problem { code, message: message.to_owned(), ack: None, retry_after_ms: None }
}

fn diverged() -> Problem {
    refusal(ProblemCode::Diverged, "this place of the feed is not here (any more): compare digests")
}

/// What a failing database comes to: nothing was taken, and asking again helps where it is only busy.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
pub(crate) fn failed(error: sqlx::Error) -> Problem {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let is_crossed = code.is_some_and(|code| code == "40001" || code == "40P01" || code == "55P03");
    if is_crossed || matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::Io(_)) {
        let busy = refusal(ProblemCode::Busy, "the database is busy; nothing was taken");
        return Problem { retry_after_ms: Some(1_000), ..busy };
    }
    tracing::error!(%error, "a question of a hub could not be answered");
    refusal(ProblemCode::Failed, "the cloud's database failed; nothing was taken")
}
