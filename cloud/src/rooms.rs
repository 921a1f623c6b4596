//! What zones show, worked out from what their hubs told last and from the songs that have begun since. Where they are
//! rules they are pure: the time goes in.

use std::time::Duration;

use chrono::{DateTime, Utc};
use roomtone_schema::view::OpenHoursView;
use roomtone_schema::{SongId, UnixMillis, UserId, VenueId};

use crate::cloud::Cloud;
use crate::refusal::Unmet;
use crate::store::guests::{Begun, Told};
use crate::store::rooms;

pub use crate::store::rooms::Room;

/// For so long after its end a song is still shown: the next one may be on its way here.
const LINGERS: Duration = Duration::from_secs(90);

/// A song that is told of began when it was told of, give or take what a message takes.
pub(crate) const SAME_START: Duration = Duration::from_secs(2);

/// A song that was heard somewhere, as of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Which.
    pub song: SongId,
    /// When it began.
    pub started_at: UnixMillis,
    /// How far it was.
    pub position_ms: u32,
    /// When.
    pub as_of: UnixMillis,
}

impl Heard {
    /// How far it is by now.
    pub fn position_ms(&self, duration_ms: u32, now: UnixMillis) -> u32 {
        let reached = u128::from(self.position_ms) + now.since(self.as_of).as_millis();
        u32::try_from(reached).unwrap_or(u32::MAX).min(duration_ms)
    }

    /// Whether it has been over for so long that it is not shown as what plays any more.
    pub fn is_over(&self, duration_ms: u32, now: UnixMillis) -> bool {
        let left = Duration::from_millis(u64::from(duration_ms.saturating_sub(self.position_ms)));
        self.as_of + left + LINGERS < now
    }
}

/// What is heard: what was told last, or the song that has begun since.
pub fn heard(told: Option<(&Told, DateTime<Utc>)>, newest: Option<Begun>) -> Option<Heard> {
    let playing = told.and_then(|(told, at)| {
        let now = told.now?;
        let (song, started_at, position_ms) = (now.song, now.started_at, now.position_ms);
        Some(Heard { song, started_at, position_ms, as_of: millis(at) })
    });
    let told_at = told.map(|(_, at)| millis(at));
    let newer = newest.filter(|begun| {
        let began = millis(begun.at);
        // One that was told of as playing is told better there, and one that has ended before plays no more.
        !begun.has_ended
            && playing.is_none_or(|playing| playing.started_at + SAME_START < began)
            && (playing.is_some() || told_at.is_none_or(|told_at| told_at < began))
    });
    let Some(begun) = newer else { return playing };
    let since = millis(begun.at);
    Some(Heard { song: begun.song, started_at: since, position_ms: 0, as_of: since })
}

/// When the zone's music is: as the hub told, carried on to now.
pub fn hours(told: &OpenHoursView, now: UnixMillis) -> OpenHoursView {
    let has_come = |at: Option<UnixMillis>| at.is_some_and(|at| at <= now);
    let is_open = if told.is_open {
        !has_come(told.closes_at) || has_come(told.opens_at)
    } else {
        has_come(told.opens_at)
    };
    OpenHoursView { as_of: now, is_open, opens_at: told.opens_at.filter(|at| now < *at), ..told.clone() }
}

impl Room {
    /// What is heard there.
    pub fn heard(&self) -> Option<Heard> {
        heard(Some((&self.told, self.told_at)), self.newest)
    }

    /// What comes next, without what plays by now: for staff, so also where listeners are not shown it.
    pub fn next(&self) -> Vec<SongId> {
        let playing = self.heard().map(|heard| heard.song);
        // Hubs that do not tell what comes for staff tell what listeners are shown.
        let told = if self.ahead.is_empty() { &self.told.next } else { &self.ahead };
        told.iter().copied().filter(|song| Some(*song) != playing).collect()
    }
}

/// What the zones of some venues show that the caller may see, as far as hubs have told.
///
/// # Errors
/// Where the database fails.
pub async fn of_venues(cloud: &Cloud, user: UserId, venues: &[VenueId]) -> Result<Vec<Room>, Unmet> {
    Ok(rooms::of_venues(&mut *cloud.database.as_user(user).await?, venues, cloud.now()).await?)
}

/// A time of the database.
pub fn millis(at: DateTime<Utc>) -> UnixMillis {
    UnixMillis(at.timestamp_millis())
}

/// Whether a zone shows the same to somebody who looks: how far the song is goes on by itself.
pub fn shows_the_same(before: &(Told, Vec<SongId>), now: &(Told, Vec<SongId>)) -> bool {
    let playing = |told: &Told| told.now.map(|now| (now.song, now.skip_votes, now.skip_votes_needed));
    let ((a, ahead_a), (b, ahead_b)) = (before, now);
    let open =
        |told: &Told| told.hours.as_ref().map(|hours| (hours.is_open, hours.opens_at, hours.closes_at));
    playing(a) == playing(b)
        && ahead_a == ahead_b
        && (&a.next, a.axes, a.listeners, &a.source) == (&b.next, b.axes, b.listeners, &b.source)
        && open(a) == open(b)
}
