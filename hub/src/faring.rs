//! How people fare: what those who are here have had so far, and what everybody has had on each of the last days.
//!
//! Days are counted from the log of decisions, by the venue's calendar. One that is over is written down, so that it is
//! known for longer than the log is kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use roomtone_schema::fairness::Fairness;
use roomtone_schema::look_ahead::Planned;
use roomtone_schema::replay::{Figures, Tally};
use roomtone_schema::{UnixMillis, ZoneId};
use roomtone_sync::wire::{FaresTold, MOST_DAYS_TOLD};

use crate::hub::{Hub, Inner};
use crate::locks::{locked, reading};
use crate::room::{DaysTold, ZoneRoom};
use crate::store::{Snapshot, StoreError, Tx, TxResult, occasions};

/// Days are counted from here.
const FIRST: Date = Date::constant(1970, 1, 1);

/// The log knows no older days than these, so no older one is closed.
const CLOSED_WITHIN: i32 = 14;

/// For so long the cloud is told the same of the days.
const DAYS_COUNTED_EVERY: Duration = Duration::from_secs(25);

/// How the people of a zone fare.
#[derive(Debug, Clone, PartialEq)]
pub struct ZoneFares {
    /// Which zone.
    pub zone: ZoneId,
    /// What people call it.
    pub name: String,
    /// Its fairness as it is now.
    pub setting: f64,
    /// As how many people its profile counts.
    pub profile_weight: f64,
    /// Those who are here and have heard a song; `None` where nobody is.
    pub now: Option<NowFares>,
    /// The last days on which anybody stayed, oldest first.
    pub days: Vec<DayFares>,
}

/// How those who are here fare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NowFares {
    /// How many they are.
    pub people: u32,
    /// Mean satisfaction, worst listener, longest drought.
    pub fares: Fairness,
}

/// How everybody fared on a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DayFares {
    /// By the venue's calendar.
    pub date: Date,
    /// What came of it.
    pub figures: Figures,
}

/// The day on which something was, by the calendar of a place, counted from 1970-01-01.
pub fn day_of(at: UnixMillis, place: &TimeZone) -> i32 {
    let date = place.to_datetime(Timestamp::from_millisecond(at.0).unwrap_or_default()).date();
    FIRST.until(date).map_or(0, |span| span.get_days())
}

/// The date of such a day.
pub fn date_of(day: i32) -> Date {
    FIRST.checked_add(jiff::Span::new().days(day)).unwrap_or(FIRST)
}

/// When a day begins at a place.
pub(crate) fn begins(day: i32, place: &TimeZone) -> UnixMillis {
    let midnight = place.to_ambiguous_timestamp(date_of(day).at(0, 0, 0, 0)).compatible();
    UnixMillis(midnight.map_or(0, Timestamp::as_millisecond))
}

impl Hub {
    /// How the people of each zone fare, with at most the last `days` days.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn fares(&self, days: u16) -> Result<Vec<ZoneFares>, StoreError> {
        let mut all = Vec::new();
        for room in &self.0.rooms {
            all.push(self.0.fares(room, days).await?);
        }
        Ok(all)
    }
}

impl Inner {
    /// What a decision was made from, as it is kept.
    pub(crate) fn packed_occasion(&self, planned: &Planned) -> Option<Vec<u8>> {
        let playable = self.library.shelf();
        let packed =
            occasions::pack(&planned.occasion(&|song| playable.songs.get(&song).map(|song| &**song)));
        if packed.is_none() {
            tracing::warn!("what a pick was made from could not be kept; it cannot be replayed");
        }
        packed
    }

    async fn fares(self: &Arc<Self>, room: &ZoneRoom, days: u16) -> Result<ZoneFares, StoreError> {
        let settings = room.settings();
        let known = if days == 0 { BTreeMap::new() } else { self.known_days(room.zone.id, days).await? };
        let days = known
            .into_iter()
            .filter_map(|(day, figures)| figures.map(|figures| DayFares { date: date_of(day), figures }));
        Ok(ZoneFares {
            zone: room.zone.id,
            name: room.zone.name.clone(),
            setting: settings.fairness,
            profile_weight: settings.profile_weight,
            now: self.fares_now(room),
            days: days.collect(),
        })
    }

    /// The same for the cloud. What cannot be told now is told later.
    pub(crate) async fn fares_told(self: &Arc<Self>, room: &ZoneRoom) -> Option<FaresTold> {
        let now = self.fares_now(room);
        Some(FaresTold {
            people: now.map_or(0, |now| now.people),
            now: now.map(|now| now.fares),
            days: self.days_told(room).await?,
        })
    }

    /// The days of a zone as the cloud is told them: hellos may come every few seconds, and today is counted from its whole log.
    async fn days_told(self: &Arc<Self>, room: &ZoneRoom) -> Option<DaysTold> {
        let now = self.clock.now();
        let counted = locked(&room.days_told).clone();
        if let Some((_, days)) = counted.filter(|(at, _)| now.since(*at) < DAYS_COUNTED_EVERY) {
            return Some(days);
        }
        let known = self.known_days(room.zone.id, MOST_DAYS_TOLD).await;
        let known =
            known.inspect_err(|error| tracing::warn!("how people fared cannot be told: {error}")).ok()?;
        let days: DaysTold = known.into_iter().filter_map(|(day, figures)| Some((day, figures?))).collect();
        *locked(&room.days_told) = Some((now, days.clone()));
        Some(days)
    }

    /// How those who are in a zone fare.
    pub(crate) fn fares_now(&self, room: &ZoneRoom) -> Option<NowFares> {
        let here = locked(&self.people).room(room.zone.id, &self.room_settings(room), self.clock.now());
        let people = here.listeners.iter().filter(|one| one.debt.songs > 0).count() as u32;
        here.fairness_so_far().map(|fares| NowFares { people, fares })
    }

    /// The last days of a zone: as they were written down, and those that were not from the log.
    async fn known_days(
        self: &Arc<Self>,
        zone: ZoneId,
        days: u16,
    ) -> Result<BTreeMap<i32, Option<Figures>>, StoreError> {
        let place = reading(&self.rules).time_zone.clone();
        let today = day_of(self.clock.now(), &place);
        let from = today - i32::from(days) + 1;
        let inner = Arc::clone(self);
        let known = move |conn: &Snapshot| {
            let mut known: BTreeMap<i32, Option<Figures>> =
                occasions::closed_days(conn, zone, from)?.into_iter().collect();
            let open = known.keys().last().map_or(from, |last| last + 1).max(today - CLOSED_WITHIN);
            for (day, figures) in inner.counted(conn, zone, open, &place)? {
                known.entry(day).or_insert(figures);
            }
            Ok(known)
        };
        self.store.read(known).await
    }

    /// Days from the log.
    fn counted(
        &self,
        conn: &Snapshot,
        zone: ZoneId,
        from: i32,
        place: &TimeZone,
    ) -> TxResult<Vec<(i32, Option<Figures>)>> {
        let mut tally = Tally::default();
        for (at, song, occasion) in occasions::since(conn, zone, begins(from, place))? {
            let song = self.library.get(song).map(|kept| kept.song);
            let direction = song.and_then(|song| song.facts.comparable().map(|embedding| embedding.unit()));
            tally.hear(day_of(at, place), &occasion.room, direction.as_ref());
        }
        Ok(tally.days().into_iter().map(|day| (day, tally.day(day))).collect())
    }

    /// Writes down the days that are over. Blocks.
    pub(crate) fn close_days(self: &Arc<Self>) -> Result<(), StoreError> {
        let place = reading(&self.rules).time_zone.clone();
        // A song that is late by an hour still counts on its day.
        let today = day_of(self.clock.now() - Duration::from_hours(1), &place);
        for room in &self.rooms {
            let (zone, inner, place) = (room.zone.id, Arc::clone(self), place.clone());
            let over = self.store.read_blocking(move |conn| {
                let from = today - CLOSED_WITHIN;
                let closed = occasions::closed_days(conn, zone, from)?;
                let open = closed.last().map_or(from, |(last, _)| last + 1);
                let mut over = inner.counted(conn, zone, open, &place)?;
                over.retain(|(day, _)| *day < today);
                Ok(over)
            })?;
            if over.is_empty() {
                continue;
            }
            self.store.write_blocking(move |tx: &Tx<'_>| {
                over.iter()
                    .try_for_each(|(day, figures)| occasions::close_day(tx, zone, *day, figures.as_ref()))
            })?;
        }
        Ok(())
    }
}
