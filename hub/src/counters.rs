//! What the hub counts, for `/metrics`: plain numbers that anybody may read at any time.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds one.
    pub fn up(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A measure of the room in thousandths, so that it fits an atomic.
#[derive(Debug, Default)]
pub struct Level(AtomicI64);

impl Level {
    /// Sets it; what is not a number becomes 0.
    pub fn set(&self, value: f64) {
        self.0.store((value * 1_000.0).round() as i64, Ordering::Relaxed);
    }

    /// The measure.
    pub fn get(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64 / 1_000.0
    }
}

/// Everything that is counted since the hub started.
#[derive(Debug, Default)]
pub struct Counters {
    /// Decisions made.
    pub picks: Count,
    /// Picks for which artists had to follow themselves sooner than the zone wants.
    pub relaxed_artist: Count,
    /// Picks for which a song's rest was cut short.
    pub relaxed_rest: Count,
    /// Picks of a kind that the hour was not meant for.
    pub relaxed_kind: Count,
    /// Picks that the performance complement of the venue's licence did not allow yet.
    pub relaxed_licence: Count,
    /// Songs that were heard once more though the venue's licence does not let them be kept: nothing else was there.
    pub relaxed_storage: Count,
    /// Picks for which nothing but explicit songs was left.
    pub relaxed_explicit: Count,
    /// Picks without a direction: nobody there, no profile, or songs without embedding only.
    pub undirected_picks: Count,
    /// Picks that the second engine served while the index was rebuilding.
    pub picks_by_second_engine: Count,
    /// Votes recorded.
    pub votes: Count,
    /// Votes refused for their number.
    pub votes_limited: Count,
    /// Check-ins.
    pub check_ins: Count,
    /// Check-ins at the cloud that have come down.
    pub check_ins_by_cloud: Count,
    /// Check-ins refused for a wrong code.
    pub wrong_codes: Count,
    /// Check-ins refused for their number.
    pub check_ins_limited: Count,
    /// Sessions that ran out.
    pub expired_sessions: Count,
    /// Songs the room voted away.
    pub skips: Count,
    /// Plays that failed on a player.
    pub failed_plays: Count,
    /// Songs passed over because their file is missing.
    pub missing_files: Count,
    /// Picks and plays that could never be saved: the disk was full or failing for too long.
    pub lost_records: Count,
    /// Files of songs that came from the cloud.
    pub downloads: Count,
    /// Their bytes.
    pub downloaded_bytes: Count,
    /// Files of songs that were put to the cloud.
    pub uploads: Count,
    /// Their bytes.
    pub uploaded_bytes: Count,
    /// Files of songs that gave way to others.
    pub evictions: Count,
    /// Files of songs that were removed because the venue's licence does not let them be kept.
    pub let_go: Count,
    /// Files that the cloud does not take.
    pub uploads_refused: Level,
    /// Milliseconds of unplanned silence that players reported.
    pub silence_ms: Count,
    /// Mean satisfaction of the people in the main zone.
    pub mean_satisfaction: Level,
    /// Satisfaction of whoever has had least.
    pub worst_listener: Level,
    /// The longest run of songs somebody here had against their taste.
    pub longest_drought: Level,
}
