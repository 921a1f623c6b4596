//! What keeps facts and rows whole. Each can be switched off, to see that something breaks without it.

/// The defences, all of them on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "switches, each another thing")]
pub struct Defences {
    /// The cloud compares facts under one number by their hashes, and the chain before them.
    pub hash: bool,
    /// The hub never gives a number twice, also when all rows were removed.
    pub autoincrement: bool,
    /// A fact is on the disk before it is confirmed and pushed.
    pub full: bool,
    /// A place of a feed has a tag drawn by lot.
    pub tag: bool,
    /// A change gets its number when its transaction ends.
    pub seal: bool,
}

impl Default for Defences {
    fn default() -> Self {
        Self { hash: true, autoincrement: true, full: true, tag: true, seal: true }
    }
}
