//! Programs of last year and of today: which version they speak, which kinds they know, and which columns of them.
//!
//! A row of the simulation has two columns of two bytes each; the first revision of a kind has one of them.

use roomtone_sync::wire::{Kind, VERSION, Version};

/// The kind whose rows have a column more in a program of today.
pub const GROWN: Kind = Kind::Song;

/// The kind that a program of last year does not know.
pub const NEW: Kind = Kind::Zone;

/// Bytes of a column.
const COLUMN: usize = 2;

/// When a program was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// Last year.
    Old,
    /// Today.
    New,
}

impl Age {
    /// What it speaks.
    pub fn speaks(self) -> Version {
        match self {
            Self::Old => VERSION,
            Self::New => Version { minor: VERSION.minor + 1, ..VERSION },
        }
    }

    /// What it knows, with the revision of each.
    pub fn reads(self) -> Vec<(Kind, u32)> {
        match self {
            Self::Old => vec![(GROWN, 1), (Kind::VenueSong, 1)],
            Self::New => vec![(GROWN, 2), (Kind::VenueSong, 1), (NEW, 1)],
        }
    }

    /// Up to which revision it knows a kind; `None` where it does not know it at all.
    pub fn revision_of(self, word: &str) -> Option<u32> {
        self.reads().into_iter().find(|(kind, _)| kind.word() == word).map(|(_, revision)| revision)
    }

    /// As much of a row as a program of that age makes of it.
    pub fn columns_of(self, word: &str, body: &[u8]) -> Vec<u8> {
        let revision = self.revision_of(word).unwrap_or(0) as usize;
        // A kind that has not grown has all of them from the beginning.
        let columns = if word == GROWN.word() { revision } else { 2 };
        body[..body.len().min(columns * COLUMN)].to_vec()
    }
}
