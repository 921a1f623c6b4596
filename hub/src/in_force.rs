//! What holds in a zone right now: its own settings, with what the cloud has told over what is configured, under the
//! daypart of this hour; whether it is open; and what the venue's licence allows.
//!
//! It is worked out each second. The hub needs no cloud for any of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::tz::TimeZone;
use roomtone_schema::licence::Licence;
use roomtone_schema::venue::ZoneSettings;
use roomtone_schema::{PlayerId, UnixMillis, ZoneId};

use crate::hub::{Hub, Inner};
use crate::locks::{locked, reading};
use crate::room::ZoneRoom;
use crate::store::{StoreError, Tx, hub_state};
use crate::view::{OpenHoursView, PlayerCommandKind};

/// What holds in a zone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InForce {
    /// With the daypart's over the zone's own.
    pub(crate) settings: Arc<ZoneSettings>,
    /// Whether there is to be music.
    pub(crate) hours: OpenHours,
    /// The name of the daypart.
    pub(crate) daypart: Option<String>,
}

/// When a zone's music is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenHours {
    pub(crate) is_open: bool,
    /// When an open zone closes.
    pub(crate) closes_at: Option<UnixMillis>,
    /// When it opens, or opens again.
    pub(crate) opens_at: Option<UnixMillis>,
}

/// What holds for the whole venue.
#[derive(Debug, Clone)]
pub(crate) struct VenueRules {
    pub(crate) time_zone: TimeZone,
    pub(crate) licence: Licence,
}

impl InForce {
    /// What `own` says at `now`.
    pub(crate) fn at(own: &ZoneSettings, now: UnixMillis, time_zone: &TimeZone) -> Self {
        let moment = own.schedule.at(now, time_zone);
        let after = moment.closes_at.map(|closes| own.schedule.at(closes, time_zone));
        let opens_at = moment.opens_at.or_else(|| after?.opens_at);
        Self {
            hours: OpenHours { is_open: moment.is_open, closes_at: moment.closes_at, opens_at },
            daypart: moment.daypart.map(|daypart| daypart.name.clone()),
            settings: Arc::new(moment.over(own)),
        }
    }
}

/// Where it is kept which volume a zone's players were last turned to.
pub(crate) fn volume_key(zone: ZoneId) -> String {
    format!("volume of {zone}")
}

impl Hub {
    /// What the venue's licence allows.
    pub fn licence(&self) -> Licence {
        self.0.licence()
    }
}

impl Inner {
    /// The time outside, as the venue's hours are told by.
    pub(crate) fn world_now(&self) -> UnixMillis {
        self.clock.world(self.cloud_ahead_ms.load(Ordering::Relaxed))
    }

    /// When a zone's music is, as players and people are told.
    pub(crate) fn open_hours(&self, room: &ZoneRoom) -> OpenHoursView {
        let holds = room.in_force();
        let OpenHours { is_open, closes_at, opens_at } = holds.hours;
        OpenHoursView {
            as_of: self.world_now(),
            is_open,
            closes_at,
            opens_at,
            daypart: holds.daypart.clone(),
        }
    }

    /// What the venue's licence allows.
    pub(crate) fn licence(&self) -> Licence {
        reading(&self.rules).licence
    }

    /// Brings what holds in every zone up to date.
    pub(crate) async fn mind_the_hours(&self) -> Result<(), StoreError> {
        let now = self.world_now();
        let rules = reading(&self.rules).clone();
        for room in &self.rooms {
            if let Some((before, holds)) = room.mind_the_hour(now, &rules.time_zone) {
                self.tell_of_change(room, &before, &holds);
            }
        }
        for room in &self.rooms {
            self.turn_to_its_volume(room).await?;
        }
        Ok(())
    }

    /// Sets the players to the volume of this hour when it changes, and not again: whoever turns one down in between is
    /// heard until the next change.
    async fn turn_to_its_volume(&self, room: &ZoneRoom) -> Result<(), StoreError> {
        let percent = room.in_force().settings.volume_percent;
        if *locked(&room.turned_to) == percent {
            return Ok(());
        }
        let players: Vec<PlayerId> =
            locked(&self.players).of_zone(room.zone.id).map(|known| known.player.id).collect();
        if let Some(percent) = percent {
            for player in players {
                self.set_volume(player, f32::from(percent) / 100.0).await?;
            }
        }
        let key = volume_key(room.zone.id);
        let note = move |tx: &Tx<'_>| match percent {
            Some(percent) => hub_state::put(tx, &key, i64::from(percent)),
            None => hub_state::remove(tx, &key),
        };
        self.store.write(note).await?;
        *locked(&room.turned_to) = percent;
        Ok(())
    }

    fn tell_of_change(&self, room: &ZoneRoom, before: &InForce, holds: &InForce) {
        if before.hours.is_open != holds.hours.is_open {
            let word =
                if holds.hours.is_open { "opens" } else { "closes: no song begins until it opens again" };
            tracing::info!(zone.name = room.zone.name, "the zone {word}");
        }
        if before.daypart != holds.daypart {
            let name = holds.daypart.as_deref().unwrap_or("none");
            tracing::info!(zone.name = room.zone.name, "the daypart is now: {name}");
        }
        if before.hours != holds.hours {
            // They keep the hours themselves, for when the hub is gone.
            for known in locked(&self.players).of_zone(room.zone.id) {
                known.order(PlayerCommandKind::PlanChanged, |_| {});
            }
        }
        self.stir(room);
    }
}
