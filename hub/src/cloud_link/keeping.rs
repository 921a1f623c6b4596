//! Keeps in touch with the cloud for as long as the hub has one.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::select_all;
use roomtone_schema::PickId;
use roomtone_sync::credential::SigningKey;
use roomtone_sync::driver::{LinkReport, LinkSettings, Wakes, run_over};
use roomtone_sync::engine::{Settings, Status};
use roomtone_sync::transport::Internet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Enrolment, SqliteStore, pairing, unlinked};
use crate::config::CloudSection;
use crate::drill::{Cut, until};
use crate::hub::{Hub, Inner};
use crate::locks::{locked, reading};
use crate::media_link;
use crate::room::ZoneRoom;
use crate::secrets::random;
use crate::store::StoreError;
use crate::view::{SyncState, SyncStatusView};

/// So many rows are read again at a time after an unclean stop.
const SCRUBBED_AT_ONCE: u32 = 5_000;

/// Where rows were found damaged, digests are compared this soon.
const VERIFIED_SOON: Duration = Duration::from_secs(10);

/// Keeps in touch until it is told to stop. Who comes to a cloud or leaves one while it runs is followed at once.
///
/// # Errors
/// Where the cloud's address is none.
pub async fn keep_in_touch(hub: Hub, config: CloudSection, stop: CancellationToken) -> anyhow::Result<()> {
    let mut joined = hub.0.joined.subscribe();
    let (mut drills, mut cuts) = (hub.drills(), hub.drills());
    while !stop.is_cancelled() {
        joined.mark_unchanged();
        if drills.borrow_and_update().cuts(Cut::Cloud) {
            // Just as if the line were dead.
            hub.0.sync_status.send_modify(|shown| *shown = Arc::new(cut_off(shown)));
            let over = until(&mut drills, |standing| !standing.cuts(Cut::Cloud));
            stop.run_until_cancelled(over).await.transpose()?;
            continue;
        }
        let link = async {
            match hub.0.credential() {
                Ok(Some((enrolment, key))) => hub.0.talk(&hub, &config, enrolment, key, stop.clone()).await,
                Ok(None) => Ok(()),
                Err(trouble) => {
                    hub.0.show_keyless(&trouble.to_string());
                    Ok(())
                }
            }
        };
        tokio::select! {
            ended = link => {
                ended?;
                tokio::select! { () = stop.cancelled() => {} _ = joined.changed() => {} }
            }
            _ = joined.changed() => {}
            _ = until(&mut cuts, |standing| standing.cuts(Cut::Cloud)) => {}
        }
    }
    Ok(())
}

/// What is shown of a hub that a drill has cut off.
fn cut_off(shown: &SyncStatusView) -> SyncStatusView {
    let last_error = Some("a drill has cut this hub off from its cloud".to_owned());
    SyncStatusView { state: SyncState::Offline, last_error, ..shown.clone() }
}

impl Inner {
    async fn talk(
        self: &Arc<Self>,
        hub: &Hub,
        config: &CloudSection,
        enrolment: Enrolment,
        key: SigningKey,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut settings = Settings::new(Uuid::from_bytes(random()), u64::from_le_bytes(random()));
        if (self.opened.unclean || self.opened.restored.is_some()) && 0 < self.scrub_all().await? {
            settings.verify_every = VERIFIED_SOON;
        }
        let store = Arc::new(SqliteStore::new(hub, enrolment.hub));
        let cloud = if config.url.is_empty() { enrolment.url } else { config.url.clone() };
        let key = Arc::new(key);
        let road = media_link::line(&cloud, enrolment.hub, Arc::clone(&key), self.clock.source())?;
        let files = media_link::keep_carrying(hub.clone(), road, config.media_budget_mb);
        let aside = media_link::line(&cloud, enrolment.hub, Arc::clone(&key), self.clock.source())?;
        let pairing = Box::pin(pairing::keep_pairing(hub.clone(), aside, enrolment.hub));
        let link = LinkSettings { cloud, hub: enrolment.hub, key };
        let told = Mutex::new(Told::default());
        let report = |report: LinkReport| self.note_report(report, &mut locked(&told));
        let wakes = Wakes { facts: self.store.new_facts(), news: Arc::clone(&self.news) };
        let (clock, keys, news) = (self.clock.source(), self.keep_changed_keys(), self.keep_telling());
        tokio::select! {
            ended = run_over(Internet::new(), settings, store, link, clock, report, wakes, stop) => ended,
            never = keys => never,
            never = news => never,
            never = files => never,
            never = pairing => never,
        }
    }

    /// Writes down the keys that sign tickets, whenever they have changed: tickets are verified without a cloud, too.
    async fn keep_changed_keys(&self) -> anyhow::Result<()> {
        loop {
            self.keys_changed.notified().await;
            let keys = reading(&self.ticket_keys).clone();
            if let Err(error) = self.keep_ticket_keys(&keys).await {
                tracing::warn!(
                    "the keys of check-in tickets could not be saved; they are until the hub stops: {error}"
                );
            }
        }
    }

    /// Says whenever a zone shows something else: the cloud shows it, too. How far a song is goes on by itself.
    pub(super) async fn keep_telling(&self) -> anyhow::Result<()> {
        let mut shown: Vec<_> = self.rooms.iter().map(|room| room.shown()).collect();
        let mut playing = self.all_playing();
        loop {
            let changes = shown.iter_mut().map(|(now, vibe, next)| {
                Box::pin(async move {
                    tokio::select! {
                        changed = now.changed() => changed.map(|()| false),
                        changed = vibe.changed() => changed.map(|()| true),
                        changed = next.changed() => changed.map(|()| true),
                    }
                })
            });
            let is_other = select_all(changes).await.0?;
            let before = std::mem::replace(&mut playing, self.all_playing());
            if is_other || before != playing {
                self.news.notify_one();
            }
        }
    }

    /// What plays in each zone, and how many want to skip it.
    fn all_playing(&self) -> Vec<Option<(PickId, u32, u32)>> {
        let of = |room: &Arc<ZoneRoom>| {
            let now = room.now_playing.borrow();
            now.as_ref().map(|now| (now.pick.id, now.skip_votes, now.skip_votes_needed))
        };
        self.rooms.iter().map(of).collect()
    }

    /// Looks at every row that came down; how many are damaged.
    async fn scrub_all(&self) -> Result<u64, StoreError> {
        let mut damaged = 0;
        loop {
            let (found, done) = self.scrub(SCRUBBED_AT_ONCE).await?;
            damaged += found;
            if done {
                return Ok(damaged);
            }
        }
    }

    fn note_report(&self, report: LinkReport, told: &mut Told) {
        if let Some(ahead) = report.cloud_time_offset_ms {
            self.cloud_ahead_ms.store(ahead, Ordering::Relaxed);
        }
        if !report.ticket_keys.is_empty() && *reading(&self.ticket_keys) != report.ticket_keys {
            crate::locks::writing(&self.ticket_keys).clone_from(&report.ticket_keys);
            self.keys_changed.notify_one();
        }
        told.say(&report);
        let before = &mut told.report;
        let now = self.clock.now();
        let is_news = |of: fn(&LinkReport) -> Option<roomtone_schema::UnixMillis>| {
            of(&report).is_some() && before.as_ref().and_then(of) != of(&report)
        };
        // By the hub's own time, as everything that it shows.
        let pushed_at = is_news(|report| report.last_pushed_at).then_some(now);
        let heard = is_news(|report| report.last_greeted_at) || is_news(|report| report.last_pulled_at);
        self.sync_status.send_if_modified(|shown| {
            let status = SyncStatusView {
                state: state_of(report.state),
                last_pushed_at: pushed_at.or(shown.last_pushed_at),
                last_pulled_at: heard.then_some(now).or(shown.last_pulled_at),
                last_error: report.last_error.clone().or_else(|| fenced(report.state)),
                ..SyncStatusView::clone(shown)
            };
            let changed = **shown != status;
            if changed {
                *shown = Arc::new(status);
            }
            changed
        });
        *before = Some(report);
    }

    fn show_keyless(&self, why: &str) {
        tracing::error!(
            "{why}. The cloud does not know this hub without it: have the cloud show a new code, and run \
             `roomtone-hub enrol CODE`; votes and music go on"
        );
        let status = SyncStatusView {
            state: SyncState::Blocked,
            last_error: Some(why.to_owned()),
            ..unlinked(&self.sync_status.borrow())
        };
        self.sync_status.send_replace(Arc::new(status));
    }
}

fn state_of(status: Status) -> SyncState {
    match status {
        Status::Offline => SyncState::Offline,
        Status::Syncing => SyncState::Syncing,
        Status::Synced => SyncState::Synced,
        Status::Fenced | Status::Refused => SyncState::Blocked,
    }
}

/// Nothing failed, and yet nothing is sent.
fn fenced(state: Status) -> Option<String> {
    (state == Status::Fenced).then(|| {
        "another box speaks to the cloud as this hub; this one plays on, collects, and sends nothing"
            .to_owned()
    })
}

/// What was told last, and what an operator has been told.
#[derive(Default)]
struct Told {
    report: Option<LinkReport>,
    said: Option<Status>,
}

impl Told {
    /// Says what an operator should know, once: not at every vote that it was passed on, and not before anybody was asked
    /// that nobody answers.
    fn say(&mut self, report: &LinkReport) {
        let is_untried =
            report.state == Status::Offline && self.said.is_none() && report.last_error.is_none();
        if report.state == Status::Syncing || self.said == Some(report.state) || is_untried {
            return;
        }
        self.said = Some(report.state);
        let why = report.last_error.as_deref().unwrap_or("no reason was given");
        match report.state {
            Status::Synced => tracing::info!("the cloud and this hub have told each other everything"),
            Status::Syncing => {}
            Status::Offline => {
                tracing::info!(
                    "the cloud is out of reach ({why}); music and votes go on, and it is told later"
                );
            }
            Status::Fenced => tracing::error!(
                "another box speaks to the cloud as this hub, so this one pushes nothing: it plays on and collects. Switch \
                 one of the two off; if this is a copy that is to stay, enrol it as a hub of its own"
            ),
            Status::Refused => {
                tracing::error!("the cloud does not accept this hub ({why}); music and votes go on here");
            }
        }
    }
}
