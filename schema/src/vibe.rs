//! The vibe of a zone: the weighted mean of the tastes in it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::embedding::AXES;
use crate::time::UnixMillis;
use crate::vector::{Axes, add_scaled, norm};

/// After this long without a sign of life a listener's weight has fallen to 1/e.
pub const PRESENCE_FADES_IN: Duration = Duration::from_mins(30);

/// One listener of the room, as the vibe sees them. All sessions of one listener are one presence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Presence {
    /// How much they count; zero or less counts as absent.
    pub weight: f64,
    /// What they want (length 1); none where they have not voted and the zone has no profile.
    pub taste: Option<Axes>,
}

/// Where a room points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Vibe {
    /// The weighted mean; its length is the consensus.
    pub axes: Axes,
    /// 0 = split, or nobody has said anything; 1 = all want the same.
    pub consensus: f64,
}

/// The vibe of the people in the room; `None` where nobody is there who has a taste.
///
/// People without a taste count in the room, so that a single voter among n weighs 1/n and not everything.
/// What an empty or silent room hears is [`target`]'s decision, not a hidden default here.
pub fn vibe(room: &[Presence]) -> Option<Vibe> {
    mean(room, |presence| *presence)
}

/// As [`vibe`], over whatever the room is made of.
pub(crate) fn mean<T>(room: &[T], presence: impl Fn(&T) -> Presence) -> Option<Vibe> {
    let mut total = 0.0;
    let mut sum = [0.0; AXES];
    let mut has_spoken = false;
    for listener in room.iter().map(presence).filter(|listener| listener.weight > 0.0) {
        total += listener.weight;
        if let Some(taste) = &listener.taste {
            add_scaled(&mut sum, taste, listener.weight);
            has_spoken = true;
        }
    }
    let axes = sum.map(|value| value / total);
    has_spoken.then(|| Vibe { axes, consensus: norm(&axes).min(1.0) })
}

/// What a target comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VibeSource {
    /// The people in the room.
    Listeners,
    /// Nobody has a say: the zone's profile.
    Profile,
    /// Nobody has a say and no profile is set: the middle of the catalogue.
    Catalogue,
    /// Nothing to go by: the least recently played.
    None,
}

/// What songs are measured against: the vibe, or what stands in for it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Length at most 1; zero where opposed tastes cancel out, or where there is nothing to go by.
    pub axes: Axes,
    /// Where it comes from.
    pub source: VibeSource,
}

/// The people's vibe; else the zone's profile; else the middle of the catalogue; else nothing.
pub fn target(vibe: Option<&Vibe>, profile: Option<&Axes>, catalogue: Option<&Axes>) -> Target {
    let unit = |axes: Option<&Axes>| axes.and_then(crate::vector::unit);
    if let Some(vibe) = vibe {
        Target { axes: vibe.axes, source: VibeSource::Listeners }
    } else if let Some(axes) = unit(profile) {
        Target { axes, source: VibeSource::Profile }
    } else if let Some(axes) = unit(catalogue) {
        Target { axes, source: VibeSource::Catalogue }
    } else {
        Target { axes: [0.0; AXES], source: VibeSource::None }
    }
}

/// How much a presence counts: 1 at a sign of life, fading from then on, 0 from `expires_at`.
///
/// A clock that steps back makes nobody younger than "just now".
pub fn presence_weight(now: UnixMillis, last_seen_at: UnixMillis, expires_at: UnixMillis) -> f64 {
    if now >= expires_at {
        return 0.0;
    }
    (-now.since(last_seen_at).as_secs_f64() / PRESENCE_FADES_IN.as_secs_f64()).exp()
}
