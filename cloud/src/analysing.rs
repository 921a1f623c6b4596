//! Whatever has been sent is looked at, and becomes a song of the catalogue or is refused with a reason.
//!
//! Every replica does this at once: a file is claimed for a while, the claim renewed while somebody works on it, and a
//! claim that nobody renews is taken over. A file is read once ([`looking`]), into a place of its own; all that is
//! decided about it is decided about the bytes that were read, whatever happens to the object meanwhile. What is left
//! over in the store is swept up ([`sweeping`]), and that is noted in the database before it is done, so no crash
//! leaves anything behind for good.

use std::num::NonZeroUsize;
use std::time::Duration;

use roomtone_analysis::Worker;
use roomtone_schema::id::Id as _;
use roomtone_schema::song::SongFacts;
use roomtone_schema::{SongId, UploadId, VenueId};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bus::Topic;
use crate::cloud::Cloud;
use crate::refusal::{Code, Refusal};
use crate::store;
use crate::store::entering::Place;
use crate::store::uploads::Claimed;
use crate::uploads::tell;

mod looking;
mod sweeping;

use looking::{Looked, look};

/// How often a file is begun. One that brings us down as often is not tried again.
const TRIES: i32 = 3;

/// For how long a file is put back when the fault is the store's or ours.
const PAUSE: Duration = Duration::from_secs(20);

/// After a fault of the database it is looked for work after so many times the usual.
const LATER: u32 = 5;

/// How this replica works.
#[derive(Debug, Clone)]
pub struct Bench {
    /// Looks into files.
    pub worker: Worker,
    /// At so many at once.
    pub at_once: usize,
    /// For how long a file is claimed; the claim is renewed thrice in that time.
    pub lease: Duration,
    /// How often it is seen whether there is something to do.
    pub look: Duration,
}

impl Bench {
    /// A bench with children of this very program.
    ///
    /// # Errors
    /// Where the system cannot say which program is running.
    pub fn of_this_program() -> std::io::Result<Self> {
        // Half of the cores: the other half answers people.
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Ok(Self {
            worker: Worker::of_this_program()?,
            at_once: (cores / 2).max(1),
            lease: Duration::from_mins(1),
            look: Duration::from_secs(1),
        })
    }
}

/// Looks at whatever has been sent, until `stop`.
///
/// # Errors
/// Where the database cannot be reached at the end. Before that it is told, and tried again.
pub async fn work(cloud: Cloud, stop: CancellationToken) -> anyhow::Result<()> {
    let bench = Bench::of_this_program()?;
    Box::pin(work_at(cloud, bench, stop)).await
}

/// [`work`] with a bench of one's own.
///
/// # Errors
/// Where the database cannot be reached at the end. Before that it is told, and tried again.
pub async fn work_at(cloud: Cloud, bench: Bench, stop: CancellationToken) -> anyhow::Result<()> {
    let desk = Desk { cloud, bench, replica: Uuid::from_bytes(crate::uploads::random()) };
    // Removing waits for the store, and looking does not wait for that.
    let (worked, ()) = tokio::join!(desk.work(&stop), sweeping::work(&desk.cloud, desk.bench.look, &stop));
    worked
}

/// One replica at work.
#[derive(Debug, Clone)]
struct Desk {
    cloud: Cloud,
    bench: Bench,
    replica: Uuid,
}

impl Desk {
    async fn work(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        let mut jobs = JoinSet::new();
        let mut tick = tokio::time::interval(self.bench.look);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = jobs.join_next() => {
                    if let Err(broken) = ended {
                        tracing::error!(%broken, "looking at an upload broke off; somebody takes it up again");
                    }
                }
                _ = tick.tick() => {}
            }
            let free = self.bench.at_once.saturating_sub(jobs.len());
            match stop.run_until_cancelled(self.claim(free)).await {
                None => break,
                Some(Ok(claimed)) => claimed.into_iter().for_each(|claimed| self.begin(&mut jobs, claimed)),
                // What is being looked at goes on: the database may be back before it is needed.
                Some(Err(error)) => {
                    tracing::warn!(%error, "no upload can be taken; that is tried again");
                    tick.reset_after(self.bench.look * LATER);
                }
            }
        }
        // What is cut off here goes to the next who looks, without waiting for the claim to run out.
        jobs.shutdown().await;
        Ok(self.put_all_back().await?)
    }

    fn begin(&self, jobs: &mut JoinSet<()>, claimed: Claimed) {
        let (desk, id) = (self.clone(), *claimed.upload.id);
        jobs.spawn(async move {
            if let Err(error) = desk.take(claimed).await {
                tracing::warn!(%error, upload = %id, "an upload is put back and tried again");
            }
        });
    }

    async fn claim(&self, most: usize) -> Result<Vec<Claimed>, sqlx::Error> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let mut work = self.cloud.database.as_service().await?;
        let claimed = store::uploads::claim(&mut work, self.replica, self.bench.lease, most as i64).await?;
        work.commit().await?;
        for claimed in &claimed {
            tell(&self.cloud, *claimed.upload.id, *claimed.upload.organisation_id);
        }
        Ok(claimed)
    }

    /// One file, to its end, or until somebody else has it.
    async fn take(&self, claimed: Claimed) -> anyhow::Result<()> {
        let id = *claimed.upload.id;
        let ended = tokio::select! {
            ended = self.settle(&claimed) => ended,
            lost = self.keep(id) => lost,
        };
        if ended.is_err() {
            // Should this fail until the claim runs out, the try counts though it was not the file's fault.
            tokio::time::timeout(self.bench.lease, self.put_back_at_last(id)).await?;
            tell(&self.cloud, id, *claimed.upload.organisation_id);
        }
        ended
    }

    /// Renews the claim for as long as it is ours.
    async fn keep(&self, id: UploadId) -> anyhow::Result<()> {
        loop {
            tokio::time::sleep(self.bench.lease / 3).await;
            let mut work = self.cloud.database.as_service().await?;
            let ours = store::uploads::renew(&mut work, id, self.replica, self.bench.lease).await?;
            work.commit().await?;
            anyhow::ensure!(ours, "somebody else has taken it over");
        }
    }

    async fn settle(&self, claimed: &Claimed) -> anyhow::Result<()> {
        if claimed.attempts > TRIES {
            let why = format!("looking at it broke off {TRIES} times; convert the file, and send it again");
            return self.refuse(claimed, &Refusal::new(Code::Unsupported, why)).await;
        }
        match look(&self.cloud.media, &self.bench.worker, &claimed.upload).await? {
            Looked::Refused(refusal) => self.refuse(claimed, &refusal).await,
            Looked::Song(facts, file) => {
                let place = self.place(claimed, &facts);
                self.store(&place, file.path(), &facts).await?;
                match self.enter(claimed, &facts, &place).await {
                    Err(error) if is_unfit(&error) => {
                        let why =
                            "the catalogue cannot hold what its tags say; clean them, and send it again";
                        self.refuse(claimed, &Refusal::new(Code::Unsupported, why)).await?;
                        self.unstore(claimed, &facts, &place).await;
                        Ok(())
                    }
                    ended => Ok(ended?),
                }
            }
        }
    }

    fn place(&self, claimed: &Claimed, facts: &SongFacts) -> Place {
        let key = format!("org/{}/{}", *claimed.upload.organisation_id, facts.sha256);
        Place { url: self.cloud.media.url_of(&key), key }
    }

    /// Stores what was read, under the name of its content. What is there under that name was written here as well.
    async fn store(&self, place: &Place, file: &std::path::Path, facts: &SongFacts) -> anyhow::Result<()> {
        let there = self.cloud.media.head(&place.key).await?;
        if there.is_none_or(|there| there.bytes != facts.bytes) {
            self.cloud.media.put_file(&place.key, file, &facts.content_type).await?;
        }
        Ok(())
    }

    /// Removes what was stored for nothing.
    async fn unstore(&self, claimed: &Claimed, facts: &SongFacts, place: &Place) {
        let removed = async {
            let mut work = self.cloud.database.as_service().await?;
            let organisation = *claimed.upload.organisation_id;
            if !store::uploads::is_kept(&mut work, organisation, facts.sha256, &place.key).await? {
                self.cloud.media.delete(&place.key).await?;
            }
            anyhow::Ok(())
        };
        if let Err(error) = removed.await {
            tracing::warn!(%error, key = place.key, "a file that no song has stays in the store");
        }
    }

    async fn enter(&self, claimed: &Claimed, facts: &SongFacts, place: &Place) -> Result<(), sqlx::Error> {
        let upload = &claimed.upload;
        let id = SongId::mint(self.cloud.now(), crate::uploads::random());
        let mut work = self.cloud.database.as_service().await?;
        let song = store::entering::enter(&mut work, id, claimed, facts, place).await?;
        let venues = store::entering::assign(&mut work, song, claimed).await?;
        if song == id {
            store::entering::log(&mut work, song, claimed).await?;
        }
        if !store::uploads::done(&mut work, *upload.id, self.replica, song).await? {
            // Somebody else has it and does all of this again; nothing of ours is kept.
            return Ok(());
        }
        work.commit().await?;
        tell(&self.cloud, *upload.id, *upload.organisation_id);
        for venue in venues {
            self.cloud.bus.publish(Topic::Venue(VenueId(venue)));
        }
        Ok(())
    }

    async fn refuse(&self, claimed: &Claimed, refusal: &Refusal) -> anyhow::Result<()> {
        let upload = &claimed.upload;
        let mut work = self.cloud.database.as_service().await?;
        let why: String = refusal.message.chars().take(500).collect();
        store::uploads::refuse(&mut work, *upload.id, self.replica, refusal.code, &why).await?;
        work.commit().await?;
        tell(&self.cloud, *upload.id, *upload.organisation_id);
        Ok(())
    }

    /// [`Self::put_back`], as often as it takes.
    async fn put_back_at_last(&self, id: UploadId) {
        while let Err(error) = self.put_back(id).await {
            tracing::warn!(%error, upload = %id, "an upload cannot be put back; that is tried again");
            tokio::time::sleep(self.bench.look * LATER).await;
        }
    }

    async fn put_back(&self, id: UploadId) -> Result<(), sqlx::Error> {
        let mut work = self.cloud.database.as_service().await?;
        store::uploads::put_back(&mut work, id, self.replica, PAUSE).await?;
        work.commit().await
    }

    async fn put_all_back(&self) -> Result<(), sqlx::Error> {
        let mut work = self.cloud.database.as_service().await?;
        let cut_off = store::uploads::put_all_back(&mut work, self.replica).await?;
        work.commit().await?;
        for (id, organisation) in cut_off {
            tell(&self.cloud, *id, *organisation);
        }
        Ok(())
    }
}

/// Whether the fault is in what was to be written: trying again is no use.
fn is_unfit(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.starts_with("22") || code == "23514")
}
