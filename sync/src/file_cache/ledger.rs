//! What a cache holds, how large it is, and who gives way to whom: accounting without a disk.

use std::collections::HashMap;

use roomtone_schema::song::Sha256;

/// A file that cannot come in because what is pinned leaves no room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no room for {bytes} bytes: {pinned} of {capacity} are held by files that must stay")]
pub struct NoRoom {
    /// What it takes.
    pub bytes: u64,
    /// What must stay.
    pub pinned: u64,
    /// What there is.
    pub capacity: u64,
}

/// The books of a cache.
#[derive(Debug)]
pub struct Ledger {
    capacity: u64,
    bytes: u64,
    uses: u64,
    files: HashMap<Sha256, Entry>,
    /// Kept apart from the files: a pin may be set before its file arrives.
    pins: HashMap<Sha256, u32>,
    /// What is on its way in, and how much room it will take.
    expected: HashMap<Sha256, u64>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    bytes: u64,
    last_use: u64,
}

impl Ledger {
    /// Empty books; without a capacity nothing ever gives way.
    pub fn new(capacity: Option<u64>) -> Self {
        let capacity = capacity.unwrap_or(u64::MAX);
        let (files, pins, expected) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { capacity, bytes: 0, uses: 0, files, pins, expected }
    }

    /// Whether the file is in the books.
    pub fn contains(&self, sha256: Sha256) -> bool {
        self.files.contains_key(&sha256)
    }

    /// Every file in the books.
    pub fn all(&self) -> impl Iterator<Item = Sha256> {
        self.files.keys().copied()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Enters a file as the most recently used; one that is there already is counted once.
    pub fn add(&mut self, sha256: Sha256, bytes: u64) {
        self.remove(sha256);
        self.uses += 1;
        self.bytes += bytes;
        self.files.insert(sha256, Entry { bytes, last_use: self.uses });
    }

    /// Strikes a file; its pins stay for when it comes again.
    pub fn remove(&mut self, sha256: Sha256) {
        if let Some(entry) = self.files.remove(&sha256) {
            self.bytes -= entry.bytes;
        }
    }

    /// Makes a file the most recently used.
    pub fn touch(&mut self, sha256: Sha256) {
        self.uses += 1;
        if let Some(entry) = self.files.get_mut(&sha256) {
            entry.last_use = self.uses;
        }
    }

    /// Adds a pin.
    pub fn pin(&mut self, sha256: Sha256) {
        *self.pins.entry(sha256).or_default() += 1;
    }

    /// Takes a pin back.
    pub fn unpin(&mut self, sha256: Sha256) {
        if let Some(pins) = self.pins.get_mut(&sha256) {
            *pins -= 1;
            if *pins == 0 {
                self.pins.remove(&sha256);
            }
        }
    }

    /// Sets another bound; [`give_way`](Self::give_way) says who must go for it.
    pub fn set_capacity(&mut self, capacity: Option<u64>) {
        self.capacity = capacity.unwrap_or(u64::MAX);
    }

    /// Holds room for a file that is on its way in; it counts as there until it is, or until it is given up.
    pub fn expect(&mut self, sha256: Sha256, bytes: u64) -> Result<(), NoRoom> {
        let before = self.expected.remove(&sha256);
        // Until the new copy is whole there are two of them, and a pinned one stays.
        let kept = self.pinned_bytes(None) + self.expected_bytes();
        let fits = self.fits(bytes, kept);
        self.expected.extend(fits.map_or(before, |()| Some(bytes)).map(|bytes| (sha256, bytes)));
        fits
    }

    /// Gives the room back that was held for a file on its way in.
    pub fn expect_no_more(&mut self, sha256: Sha256) {
        self.expected.remove(&sha256);
    }

    /// Whether a file of this size could come in, if everything unpinned gave way.
    pub fn room_for(&self, sha256: Sha256, bytes: u64) -> Result<(), NoRoom> {
        self.fits(bytes, self.pinned_bytes(Some(sha256)) + self.expected_bytes())
    }

    fn fits(&self, bytes: u64, pinned: u64) -> Result<(), NoRoom> {
        if self.capacity.saturating_sub(pinned) < bytes {
            return Err(NoRoom { bytes, pinned, capacity: self.capacity });
        }
        Ok(())
    }

    /// Strikes what must go so that the rest fits, least recently used first, and says which files those are.
    /// `newcomer` stays, and so does what is pinned.
    pub fn give_way(&mut self, newcomer: Sha256) -> Vec<Sha256> {
        self.shrink(Some(newcomer))
    }

    /// As [`give_way`](Self::give_way), for room that nobody has filled yet.
    pub fn make_room(&mut self) -> Vec<Sha256> {
        self.shrink(None)
    }

    /// Strikes the least recently used file that nothing holds, whether there is room or not.
    pub fn shed(&mut self) -> Option<Sha256> {
        let oldest = self.oldest_besides(None)?;
        self.remove(oldest);
        Some(oldest)
    }

    fn shrink(&mut self, newcomer: Option<Sha256>) -> Vec<Sha256> {
        let mut gone = Vec::new();
        while self.capacity < self.bytes.saturating_add(self.expected_bytes()) {
            let Some(oldest) = self.oldest_besides(newcomer) else { break };
            self.remove(oldest);
            gone.push(oldest);
        }
        gone
    }

    fn oldest_besides(&self, newcomer: Option<Sha256>) -> Option<Sha256> {
        let free = |sha256: &Sha256| Some(*sha256) != newcomer && !self.pins.contains_key(sha256);
        let candidates = self.files.iter().filter(|(sha256, _)| free(sha256));
        candidates.min_by_key(|(_, entry)| entry.last_use).map(|(sha256, _)| *sha256)
    }

    fn pinned_bytes(&self, besides: Option<Sha256>) -> u64 {
        let others = self.pins.keys().filter(|pinned| Some(**pinned) != besides);
        others.filter_map(|pinned| self.files.get(pinned)).map(|entry| entry.bytes).sum()
    }

    fn expected_bytes(&self) -> u64 {
        self.expected.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(n: u8) -> Sha256 {
        Sha256([n; 32])
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Add(u8, u64),
        Remove(u8),
        Touch(u8),
        Pin(u8),
        Unpin(u8),
        Expect(u8, u64),
        Arrive(u8),
        GiveUp(u8),
        Shed,
    }

    fn step() -> impl Strategy<Value = Step> {
        let file = 0..12_u8;
        prop_oneof![
            3 => (file.clone(), 0..60_u64).prop_map(|(n, bytes)| Step::Add(n, bytes)),
            1 => file.clone().prop_map(Step::Remove),
            1 => file.clone().prop_map(Step::Touch),
            1 => file.clone().prop_map(Step::Pin),
            1 => file.clone().prop_map(Step::Unpin),
            2 => (file.clone(), 0..60_u64).prop_map(|(n, bytes)| Step::Expect(n, bytes)),
            2 => file.clone().prop_map(Step::Arrive),
            1 => file.prop_map(Step::GiveUp),
            1 => Just(Step::Shed),
        ]
    }

    fn take(ledger: &mut Ledger, step: Step) -> Vec<Sha256> {
        match step {
            Step::Add(n, bytes) if ledger.room_for(name(n), bytes).is_ok() => {
                ledger.add(name(n), bytes);
                return ledger.give_way(name(n));
            }
            Step::Add(..) => {}
            Step::Remove(n) => ledger.remove(name(n)),
            Step::Touch(n) => ledger.touch(name(n)),
            Step::Pin(n) => ledger.pin(name(n)),
            Step::Unpin(n) => ledger.unpin(name(n)),
            Step::Expect(n, bytes) => {
                if ledger.expect(name(n), bytes).is_ok() {
                    return ledger.make_room();
                }
            }
            Step::Arrive(n) => {
                if let Some(bytes) = ledger.expected.get(&name(n)).copied() {
                    ledger.expect_no_more(name(n));
                    ledger.add(name(n), bytes);
                    return ledger.give_way(name(n));
                }
            }
            Step::GiveUp(n) => ledger.expect_no_more(name(n)),
            Step::Shed => return ledger.shed().into_iter().collect(),
        }
        Vec::new()
    }

    proptest! {
        #[test]
        fn the_bytes_are_the_sum_of_the_files_never_above_capacity_and_no_pinned_file_goes(
            steps in prop::collection::vec(step(), 0..200)
        ) {
            let mut ledger = Ledger::new(Some(100));
            for step in steps {
                let gone = take(&mut ledger, step);
                prop_assert!(gone.iter().all(|sha256| !ledger.pins.contains_key(sha256)));
                let sum: u64 = ledger.files.values().map(|entry| entry.bytes).sum();
                prop_assert_eq!(ledger.bytes(), sum);
                prop_assert!(ledger.bytes() <= 100);
                let held = ledger.bytes() + ledger.expected_bytes();
                prop_assert!(held <= 100, "{} held", held);
            }
        }
    }

    #[test]
    fn the_oldest_use_goes_first_and_no_more_than_needed() {
        let mut ledger = Ledger::new(Some(30));
        for n in 1..=3 {
            ledger.add(name(n), 10);
        }
        ledger.touch(name(1));
        ledger.add(name(4), 10);
        assert_eq!(ledger.give_way(name(4)), [name(2)]);
        assert!(ledger.contains(name(1)) && ledger.contains(name(3)));
    }

    #[test]
    fn room_for_what_arrives_is_made_before_it_comes_and_given_back_if_it_does_not() {
        let mut ledger = Ledger::new(Some(30));
        for n in 1..=3 {
            ledger.add(name(n), 10);
        }
        ledger.expect(name(4), 15).unwrap();
        assert_eq!(ledger.make_room(), [name(1), name(2)]);
        assert_eq!(ledger.expect(name(5), 16), Err(NoRoom { bytes: 16, pinned: 15, capacity: 30 }));
        ledger.expect_no_more(name(4));
        assert_eq!(ledger.room_for(name(5), 30), Ok(()));
        ledger.set_capacity(Some(5));
        assert_eq!(ledger.make_room(), [name(3)]);
    }

    #[test]
    fn a_pin_set_before_its_file_arrives_holds_it() {
        let mut ledger = Ledger::new(Some(10));
        ledger.pin(name(1));
        ledger.add(name(1), 10);
        assert_eq!(ledger.room_for(name(2), 1), Err(NoRoom { bytes: 1, pinned: 10, capacity: 10 }));
        ledger.unpin(name(1));
        assert_eq!(ledger.room_for(name(2), 1), Ok(()));
    }
}
