//! What can go wrong.

use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _};

/// Something happens to the hub or the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Somebody votes at a hub.
    Vote(usize),
    /// Something changes in the catalogue or at a venue.
    Change,
    /// Transactions of the cloud end.
    Commit,
    /// A hub's program dies, and starts again.
    CrashHub(usize),
    /// A hub's power is cut.
    PowerCut(usize),
    /// The cloud's program dies, and starts again.
    CrashCloud,
    /// Nothing passes between a hub and the cloud.
    Partition(usize),
    /// Nothing reaches the hub, but what it says arrives.
    Deaf(usize),
    /// Nothing that the hub says arrives.
    Mute(usize),
    /// Messages are held.
    Hold(usize),
    /// Messages take seconds.
    Slow(usize),
    /// The network of a hub works again.
    Repair(usize),
    /// A hub's clock is set, by so many years.
    Clock(usize, i64),
    /// A hub's disk is full, or has room again.
    Disk(usize, bool),
    /// Acknowledged facts are removed.
    Purge(usize),
    /// A row of a hub is damaged.
    Damage(usize, usize),
    /// A backup of a hub is made.
    BackupHub(usize),
    /// It is put back.
    RestoreHub(usize),
    /// A backup of the cloud is made.
    BackupCloud,
    /// It is put back.
    RestoreCloud,
    /// A hub's disk is copied into another box, which starts.
    Clone(usize),
    /// Everything that came down to a hub is lost, as with a backup from before its first day.
    Forget(usize),
    /// A hub's program is replaced by one of today.
    UpgradeHub(usize),
    /// The cloud's is.
    UpgradeCloud,
}

/// Draws what happens next.
#[expect(clippy::match_same_arms, reason = "the chances stand in their order")]
pub fn draw(chance: &mut StdRng, hubs: usize) -> Event {
    let hub = (chance.next_u32() as usize) % hubs;
    match chance.random_range(0..106) {
        0..40 => Event::Vote(hub),
        40..58 => Event::Change,
        58..64 => Event::Commit,
        64..67 => Event::CrashHub(hub),
        67..69 => Event::PowerCut(hub),
        69..71 => Event::CrashCloud,
        71..73 => Event::Partition(hub),
        73..75 => Event::Deaf(hub),
        75..76 => Event::Mute(hub),
        76..77 => Event::Hold(hub),
        77..85 => Event::Repair(hub),
        85..87 => Event::Clock(hub, chance.random_range(-10..=10)),
        87..88 => Event::Disk(hub, true),
        88..90 => Event::Disk(hub, false),
        90..92 => Event::Purge(hub),
        92..94 => Event::Damage(hub, chance.random_range(0..50)),
        94..95 => Event::BackupHub(hub),
        95..96 => Event::RestoreHub(hub),
        96..97 => Event::BackupCloud,
        97..98 => Event::RestoreCloud,
        98..99 => Event::Clone(hub),
        99..101 => Event::Slow(hub),
        101..103 => Event::Forget(hub),
        103..105 => Event::UpgradeHub(hub),
        105..106 => Event::UpgradeCloud,
        _ => Event::Commit,
    }
}
