//! What if: a zone's last days played again under another setting, beside what they were.
//!
//! It only reads, so it may be asked while the hub serves: by the command line on a connection of its own, by a manager of
//! the hub that runs.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use roomtone_schema::replay::{Figures, Logged, Replay, WhatIf, replay};
use roomtone_schema::song::Song;
use roomtone_schema::{SongId, UnixMillis, ZoneId};

use crate::faring::{begins, date_of, day_of};
use crate::hub::{Hub, HubOptions, Inner};
use crate::index::ZoneOrder;
use crate::library::{Library, Shelf};
use crate::locks::reading;
use crate::opening::read_all_songs;
use crate::programme::index_of;
use crate::room::ZoneRoom;
use crate::store::{OpenError, Snapshot, StoreError, TxResult, look, occasions, zones};

/// At most so many days are played again: what decisions were made from is kept no longer.
pub const MOST_DAYS: u16 = 14;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// Of how many days, with the last one on which anything was heard.
    pub days: u16,
    /// What would be otherwise.
    pub what_if: WhatIf,
}

/// What was, and what would have been.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// In which zone.
    pub zone: String,
    /// Songs that were decided on.
    pub songs: usize,
    /// How many of them would have been the same.
    pub same: usize,
    /// The lowest and the highest fairness that they were decided with; `None` where there were none.
    pub fairness: Option<(f64, f64)>,
    /// As how many people the profile counted, in the same way.
    pub profile_weight: Option<(f64, f64)>,
    /// How everybody fared; `None` where nobody stayed.
    pub then: Option<Figures>,
    /// How they would have fared.
    pub now: Option<Figures>,
    /// The same by day, oldest first.
    pub days: Vec<DayAnswer>,
}

/// One day of an [`Answer`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DayAnswer {
    /// By the venue's calendar.
    pub date: Date,
    /// How everybody fared.
    pub then: Option<Figures>,
    /// How they would have.
    pub now: Option<Figures>,
}

/// Why nothing was played again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// No such zone.
    #[error("this venue has no zone {name}; it has {}", .zones.join(", "))]
    UnknownZone {
        /// The one that was named.
        name: String,
        /// Those that there are.
        zones: Vec<String>,
    },
    /// The store cannot be read as it is.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Ours.
    #[error("the log of picks could not be read: {0}")]
    Store(#[from] StoreError),
}

/// What a replay is made from.
struct Material {
    zone: String,
    log: Vec<Logged>,
    songs: HashMap<SongId, Arc<Song>>,
    shelf: Arc<Shelf>,
    place: TimeZone,
}

/// Asks the store of a hub that may be running. Blocks.
///
/// # Errors
/// [`ReplayError`], worded for whoever asked.
pub fn ask(options: &HubOptions, zone: Option<&str>, question: &Question) -> Result<Answer, ReplayError> {
    let material = look(&options.data, |conn| {
        let known: Vec<(ZoneId, String)> = zones::all(conn)?;
        let name = zone.unwrap_or("main");
        let Some((id, _)) = known.iter().find(|(_, known)| known == name) else {
            let zones = known.into_iter().map(|(_, name)| name).collect();
            return Ok(Err(ReplayError::UnknownZone { name: name.to_owned(), zones }));
        };
        let place = crate::opening::calendar(conn, options)?;
        let log = read_log(conn, *id, question.days, &place)?;
        let library = read_library(conn, &options.data)?;
        let (songs, shelf) = (library.all(), library.shelf());
        Ok(Ok(Material { zone: name.to_owned(), log, songs, shelf, place }))
    })??;
    Ok(material.replayed(question))
}

impl Hub {
    /// Plays a zone's last days again; `None` where there is no such zone.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn replay(&self, zone: ZoneId, question: Question) -> Result<Option<Answer>, StoreError> {
        let Some(room) = self.0.room(zone) else { return Ok(None) };
        self.0.replay(room, question).await.map(Some)
    }
}

impl Inner {
    async fn replay(&self, room: &ZoneRoom, question: Question) -> Result<Answer, StoreError> {
        let (zone, name) = (room.zone.id, room.zone.name.clone());
        let place = reading(&self.rules).time_zone.clone();
        let (days, calendar) = (question.days, place.clone());
        let log = self.store.read(move |conn| read_log(conn, zone, days, &calendar)).await?;
        let (songs, playable) = (self.library.all(), self.library.shelf());
        let material = Material { zone: name, log, songs, shelf: playable, place };
        let replayed = tokio::task::spawn_blocking(move || material.replayed(&question)).await;
        replayed.or(Err(StoreError::Panicked))
    }
}

fn read_library(conn: &Snapshot, data: &Path) -> TxResult<Library> {
    Ok(Library::new(data.join("media"), read_all_songs(conn)?))
}

/// The log of a zone with what it heard besides; only decisions of the last `days` can be made again.
fn read_log(conn: &Snapshot, zone: ZoneId, days: u16, place: &TimeZone) -> TxResult<Vec<Logged>> {
    let newest = occasions::newest(conn, zone)?.unwrap_or(UnixMillis(0));
    let since = begins(day_of(newest, place) - i32::from(days.clamp(1, MOST_DAYS)) + 1, place);
    let mut log = occasions::log(conn, zone, since)?;
    let undecided = occasions::undecided(conn, zone)?;
    log.extend(undecided.into_iter().map(|(decided_at, song)| Logged {
        song,
        seed: 0,
        decided_at,
        occasion: None,
    }));
    log.sort_by_key(|logged| logged.decided_at);
    Ok(log)
}

impl Material {
    fn replayed(&self, question: &Question) -> Answer {
        let first = self.log.first().map_or(UnixMillis(0), |first| first.decided_at);
        let window = self.occasions().next().map_or(Duration::ZERO, |occasion| occasion.window);
        let index = Arc::new(index_of(&self.shelf));
        let mut order = ZoneOrder::new(index, [], window, first);
        let find = |song: SongId| self.songs.get(&song).map(|song| &**song);
        let day = |at| day_of(at, &self.place);
        let Ok(replayed) = replay(&self.log, &question.what_if, &mut order, &find, &day);
        self.answer(&replayed)
    }

    fn answer(&self, replayed: &Replay) -> Answer {
        let days = replayed.then.days().into_iter().map(|day| DayAnswer {
            date: date_of(day),
            then: replayed.then.day(day),
            now: replayed.now.day(day),
        });
        Answer {
            zone: self.zone.clone(),
            songs: replayed.steps.len(),
            same: replayed.same(),
            fairness: range(self.occasions().map(|occasion| occasion.rules.fairness)),
            profile_weight: range(self.occasions().map(|occasion| occasion.room.profile_weight)),
            then: replayed.then.all(),
            now: replayed.now.all(),
            days: days.collect(),
        }
    }

    fn occasions(&self) -> impl Iterator<Item = &roomtone_schema::replay::Occasion> {
        self.log.iter().filter_map(|logged| logged.occasion.as_ref())
    }
}

fn range(of: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    of.fold(None, |range, one| {
        let (least, most) = range.unwrap_or((one, one));
        Some((least.min(one), most.max(one)))
    })
}
