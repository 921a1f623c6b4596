//! What comes next: decided from what the hub said last and what lies on the disk, without asking anybody.
//!
//! In this order: what the zone plays and this player does not yet; the look-ahead plan, in its order; the cache, least
//! recently played first. Only files that are here count, so that the answer can be played at once; where nothing else
//! is left, a song is heard again, because silence is worse. What is absent: time, the network, the sound.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use roomtone_schema::play::Tier;
use roomtone_schema::song::Sha256;

use crate::pick::Pick;

/// So many songs that were heard are remembered: more than any hub's memory of its own picks, and enough that a small
/// cache is gone through before a song comes again.
const REMEMBERED: usize = 64;

/// So often a file may fail before it is left out: a slow disk is forgiven once.
pub const TRIES: u8 = 2;

/// What lies on the disk.
pub trait Shelf {
    /// Whether the file is here, whole.
    fn has(&self, sha256: &Sha256) -> bool;

    /// Every song whose file is here, least recently played first.
    fn cached(&self) -> Vec<Pick>;
}

/// What comes next, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// What.
    pub pick: Pick,
    /// Hub where the hub is in reach and has decided it, plan or cache otherwise.
    pub tier: Tier,
}

/// What is known of what comes.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    /// What the zone plays and this player does not yet.
    zone: Option<Pick>,
    plan: Vec<Pick>,
    sounding: Option<Pick>,
    heard: VecDeque<Pick>,
    /// How often files could not be played since they were last heard to their end.
    broken: BTreeMap<Sha256, u8>,
}

impl Queue {
    /// Takes the plan as the hub has it now, and what the zone plays.
    pub fn plan_is(&mut self, zone: Option<Pick>, plan: Vec<Pick>) {
        self.plan = plan;
        let heard = |pick: &Pick| self.knows(pick);
        self.plan = self.plan.iter().filter(|pick| !heard(pick)).cloned().collect();
        self.zone = None;
        if let Some(zone) = zone {
            self.follow(zone);
        }
    }

    /// The zone has moved on to this; nothing where it is what sounds already, or has sounded.
    pub fn follow(&mut self, zone: Pick) {
        if !self.knows(&zone) && !self.sounds(&zone) {
            self.plan.retain(|planned| planned.pick != zone.pick);
            self.zone = Some(zone);
        }
    }

    /// This sounds now.
    pub fn began(&mut self, pick: &Pick) {
        if self.zone.as_ref().is_some_and(|zone| is_same(zone, pick)) {
            self.zone = None;
        }
        self.plan.retain(|planned| !is_same(planned, pick));
        if let Some(before) = self.sounding.replace(pick.clone()) {
            self.heard.push_back(before);
            while REMEMBERED < self.heard.len() {
                self.heard.pop_front();
            }
        }
    }

    /// Nothing sounds any more.
    pub fn silent(&mut self) {
        if let Some(before) = self.sounding.take() {
            self.heard.push_back(before);
        }
    }

    /// The file could not be played; how often that was so. After [`TRIES`] it is left out, as long as there is anything
    /// else.
    pub fn broke(&mut self, pick: &Pick) -> u8 {
        let times = self.broken.entry(pick.sha256).or_insert(0);
        *times = times.saturating_add(1);
        let times = *times;
        self.plan.retain(|planned| !is_same(planned, pick));
        if self.zone.as_ref().is_some_and(|zone| is_same(zone, pick)) {
            self.zone = None;
        }
        times
    }

    /// It was heard to its end: whatever was wrong with it is not any more.
    pub fn healed(&mut self, pick: &Pick) {
        self.broken.remove(&pick.sha256);
    }

    /// What sounds.
    pub fn sounding(&self) -> Option<&Pick> {
        self.sounding.as_ref()
    }

    /// Whether the zone has moved on to something that this player can and should turn to at once.
    pub fn should_turn(&self, disk: &dyn Shelf) -> bool {
        self.zone.as_ref().is_some_and(|zone| self.is_playable(zone, disk))
    }

    /// Whether the zone has moved on to something whose file is not here yet.
    pub fn awaits_zone(&self, disk: &dyn Shelf) -> bool {
        self.zone.as_ref().is_some_and(|zone| !self.is_broken(&zone.sha256) && !disk.has(&zone.sha256))
    }

    /// What comes next; `None` where there is not one file. `linked` says whether the hub is in reach.
    pub fn next(&self, disk: &dyn Shelf, linked: bool) -> Option<Chosen> {
        let mut decided = self.zone.iter().chain(&self.plan).filter(|pick| self.is_playable(pick, disk));
        // A plan that was made a moment before this song began has it once more, as another decision.
        let first = decided.next();
        let other =
            first.filter(|pick| self.sounds(pick)).and_then(|_| decided.find(|pick| !self.sounds(pick)));
        if let Some(pick) = other.or(first) {
            let tier = if linked { Tier::Hub } else { Tier::Plan };
            return Some(Chosen { pick: pick.clone(), tier });
        }
        let pick = self.least_recent(disk)?;
        Some(Chosen { pick, tier: Tier::Cache })
    }

    /// Every file that should be here, the most urgent first, as far as `bytes` reach beside what sounds: what does not
    /// fit is not begun, so that the end of the plan never drives out its beginning.
    pub fn wanted(&self, bytes: u64) -> Vec<Pick> {
        let mut left = bytes.saturating_sub(self.sounding.as_ref().map_or(0, |pick| pick.bytes));
        let mut counted = BTreeSet::new();
        let fits = |pick: &&Pick| {
            if !counted.insert(pick.sha256) {
                return true;
            }
            let fits = pick.bytes <= left;
            left = left.saturating_sub(pick.bytes);
            fits
        };
        self.zone.iter().chain(&self.plan).take_while(fits).cloned().collect()
    }

    /// The plan as it stands.
    pub fn plan(&self) -> &[Pick] {
        &self.plan
    }

    /// For how long the plan lasts, counting only what is on the disk.
    pub fn lasts(&self, disk: &dyn Shelf) -> Duration {
        self.plan.iter().filter(|pick| self.is_playable(pick, disk)).map(Pick::music).sum()
    }

    fn is_playable(&self, pick: &Pick, disk: &dyn Shelf) -> bool {
        !self.is_broken(&pick.sha256) && disk.has(&pick.sha256)
    }

    fn is_broken(&self, sha256: &Sha256) -> bool {
        self.broken.get(sha256).is_some_and(|times| TRIES <= *times)
    }

    /// Whether this very decision sounds or has sounded.
    fn knows(&self, pick: &Pick) -> bool {
        self.sounding.iter().chain(&self.heard).any(|heard| heard.pick.is_some() && heard.pick == pick.pick)
    }

    fn sounds(&self, pick: &Pick) -> bool {
        self.sounding.as_ref().is_some_and(|sounding| sounding.song == pick.song)
    }

    /// The least recently played that was not heard lately; else whatever was heard longest ago; else even what sounds.
    fn least_recent(&self, disk: &dyn Shelf) -> Option<Pick> {
        let mut cached = disk.cached();
        let rank = |pick: &Pick| {
            let heard = self.heard.iter().rposition(|heard| heard.song == pick.song);
            (self.is_broken(&pick.sha256), self.sounds(pick), heard.map_or(0, |at| at + 1))
        };
        // Among equals the order of the cache stays.
        cached.sort_by_key(rank);
        cached.into_iter().find(|pick| disk.has(&pick.sha256)).map(|pick| Pick { pick: None, ..pick })
    }
}

/// The same decision; of songs from the cache, which nobody decided on, the same song.
pub(crate) fn is_same(one: &Pick, other: &Pick) -> bool {
    one.pick == other.pick && one.song == other.song
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use roomtone_schema::PickId;

    use super::*;
    use crate::pick::tests::pick;

    #[derive(Debug, Default)]
    struct Disk(BTreeMap<Sha256, Pick>);

    impl Disk {
        fn with(numbers: impl IntoIterator<Item = u8>) -> Self {
            Self(numbers.into_iter().map(|n| (pick(n).sha256, pick(n))).collect())
        }
    }

    impl Shelf for Disk {
        fn has(&self, sha256: &Sha256) -> bool {
            self.0.contains_key(sha256)
        }

        fn cached(&self) -> Vec<Pick> {
            self.0.values().cloned().collect()
        }
    }

    fn next(queue: &Queue, disk: &Disk, linked: bool) -> Option<(String, Tier)> {
        queue.next(disk, linked).map(|chosen| (chosen.pick.title, chosen.tier))
    }

    fn song(n: u8, tier: Tier) -> (String, Tier) {
        (pick(n).title, tier)
    }

    #[test]
    fn the_plan_is_followed_in_its_order_as_far_as_it_is_here() {
        let mut queue = Queue::default();
        queue.plan_is(None, vec![pick(1), pick(2), pick(3)]);
        let disk = Disk::with([2, 3]);
        assert_eq!(next(&queue, &disk, true), Some(song(2, Tier::Hub)));
        assert_eq!(next(&queue, &disk, false), Some(song(2, Tier::Plan)));
        queue.began(&pick(2));
        assert_eq!(next(&queue, &disk, false), Some(song(3, Tier::Plan)));
        assert_eq!(queue.wanted(u64::MAX), [pick(1), pick(3)], "what was not here is still wanted");
    }

    #[test]
    fn what_the_disk_does_not_hold_is_not_wanted() {
        let mut queue = Queue::default();
        queue.plan_is(None, vec![pick(1), pick(2), pick(1), pick(3), pick(4)]);
        assert_eq!(queue.wanted(2_000), [pick(1), pick(2), pick(1)], "a song counts once");
        queue.began(&pick(9));
        assert_eq!(queue.wanted(2_000), [pick(1)], "what sounds has its place");
        assert_eq!(queue.wanted(0), []);
    }

    #[test]
    fn what_the_zone_plays_comes_before_the_plan_and_only_once() {
        let mut queue = Queue::default();
        queue.plan_is(Some(pick(7)), vec![pick(1)]);
        let disk = Disk::with([1, 7]);
        assert!(queue.should_turn(&disk));
        assert_eq!(next(&queue, &disk, true), Some(song(7, Tier::Hub)));
        queue.began(&pick(7));
        queue.began(&pick(1));
        queue.follow(pick(7));
        assert!(!queue.should_turn(&disk), "it has been heard");
    }

    #[test]
    fn a_plan_that_still_names_what_sounds_does_not_repeat_it() {
        let mut queue = Queue::default();
        queue.began(&pick(1));
        queue.plan_is(Some(pick(1)), vec![pick(1), pick(2)]);
        assert_eq!(next(&queue, &Disk::with([1, 2]), true), Some(song(2, Tier::Hub)));
    }

    #[test]
    fn a_plan_that_names_what_sounds_as_another_decision_does_not_repeat_it_either() {
        let again = Pick { pick: pick(9).pick, ..pick(1) };
        let mut queue = Queue::default();
        queue.began(&pick(1));
        queue.plan_is(Some(again.clone()), vec![again.clone(), pick(2)]);
        let disk = Disk::with([1, 2]);
        assert!(!queue.should_turn(&disk));
        assert_eq!(next(&queue, &disk, true), Some(song(2, Tier::Hub)));
        queue.plan_is(None, vec![again]);
        assert_eq!(
            next(&queue, &disk, true),
            Some(song(1, Tier::Hub)),
            "where it is all that was decided, it is right"
        );
    }

    #[test]
    fn behind_the_plan_comes_the_cache_and_behind_it_the_same_again() {
        let mut queue = Queue::default();
        queue.plan_is(None, vec![pick(1)]);
        let disk = Disk::with([1, 2, 3]);
        let mut heard = Vec::new();
        for _ in 0..6 {
            let chosen = queue.next(&disk, false).unwrap();
            queue.began(&chosen.pick);
            heard.push((chosen.pick.title, chosen.tier));
        }
        let cache = |n: u8| (pick(n).title, Tier::Cache);
        assert_eq!(heard[0], (pick(1).title, Tier::Plan));
        assert_eq!(heard[1..], [cache(2), cache(3), cache(1), cache(2), cache(3)]);
        assert_eq!(
            next(&queue, &Disk::with([3]), false),
            Some(song(3, Tier::Cache)),
            "rather again than silence"
        );
        assert_eq!(next(&queue, &Disk::default(), false), None);
    }

    #[test]
    fn a_file_that_cannot_be_played_is_left_out_while_there_is_another() {
        let mut queue = Queue::default();
        queue.plan_is(Some(pick(1)), vec![pick(2)]);
        assert_eq!((queue.broke(&pick(1)), queue.broke(&pick(1))), (1, 2));
        assert_eq!(next(&queue, &Disk::with([1, 2]), true), Some(song(2, Tier::Hub)));
        queue.began(&pick(2));
        assert_eq!(next(&queue, &Disk::with([1, 2]), true), Some(song(2, Tier::Cache)));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Plan(Option<u8>, Vec<u8>),
        Follow(u8),
        Arrives(u8),
        Goes(u8),
        Plays(bool),
        Breaks,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let n = 0u8..12;
        let step = prop_oneof![
            (prop::option::of(n.clone()), prop::collection::vec(n.clone(), 0..8))
                .prop_map(|(z, p)| Step::Plan(z, p)),
            n.clone().prop_map(Step::Follow),
            n.clone().prop_map(Step::Arrives),
            n.prop_map(Step::Goes),
            any::<bool>().prop_map(Step::Plays),
            Just(Step::Breaks),
        ];
        prop::collection::vec(step, 0..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Whatever happens: while there is a file there is a next song, it can be played, and a song that was decided
        /// once sounds once.
        #[test]
        fn there_is_always_something_and_nothing_decided_comes_twice(steps in steps()) {
            let (mut queue, mut disk, mut sounded) = (Queue::default(), Disk::default(), Vec::new());
            for step in steps {
                match step {
                    Step::Plan(zone, plan) => queue.plan_is(zone.map(pick), plan.into_iter().map(pick).collect()),
                    Step::Follow(n) => queue.follow(pick(n)),
                    Step::Arrives(n) => drop(disk.0.insert(pick(n).sha256, pick(n))),
                    Step::Goes(n) => drop(disk.0.remove(&pick(n).sha256)),
                    Step::Plays(linked) => {
                        let chosen = queue.next(&disk, linked);
                        prop_assert_eq!(chosen.is_some(), !disk.0.is_empty());
                        let Some(chosen) = chosen else { continue };
                        prop_assert!(disk.has(&chosen.pick.sha256));
                        prop_assert_eq!(chosen.tier == Tier::Cache, chosen.pick.pick.is_none());
                        if let Some(id) = chosen.pick.pick {
                            prop_assert!(!sounded.contains(&id), "{} came twice", chosen.pick.title);
                            sounded.push(id);
                        }
                        let only = disk.0.len() == 1;
                        let again = queue.sounding().is_some_and(|before| before.song == chosen.pick.song);
                        prop_assert!(!again || only || chosen.pick.pick.is_some() || !queue.broken.is_empty());
                        queue.began(&chosen.pick);
                    }
                    Step::Breaks => {
                        if let Some(broken) = queue.sounding().cloned() {
                            queue.broke(&broken);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_was_heard_long_ago_is_forgotten() {
        let mut queue = Queue::default();
        for n in 0..200 {
            queue.began(&pick(n));
        }
        assert_eq!(queue.heard.len(), REMEMBERED);
        let ids: BTreeSet<Option<PickId>> = queue.heard.iter().map(|heard| heard.pick).collect();
        assert_eq!(ids.len(), REMEMBERED);
    }
}
