//! What was really heard, until the hub knows it: each play once, with how long, how it ended and from which tier.
//!
//! A file of lines, each written and flushed before anybody relies on it. A line that a power cut has torn is the last
//! one and is left out. A play that has begun and not ended belongs to a player that died; whoever opens the journal
//! takes it up again or ends it. What is absent: the hub. Told plays are forgotten.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use roomtone_schema::play::{PlayEnd, Tier};
use roomtone_schema::{PickId, PlayId, SongId};
use serde::{Deserialize, Serialize};

use crate::stamp::Stamp;

/// So many plays wait for a hub at most: two weeks of songs of four minutes. The oldest give way, and are counted.
pub const MOST_PLAYS: usize = 5_040;

/// So many lines that say nothing new are kept before the file is written anew.
const MOST_IDLE_LINES: usize = 512;

/// One play.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Made when it began.
    pub play: PlayId,
    /// What.
    pub song: SongId,
    /// By which decision, where there was one.
    pub pick: Option<PickId>,
    /// From which tier.
    pub tier: Tier,
    /// When.
    pub began: Stamp,
    /// How it ended; `None` while it plays.
    pub ended: Option<Ended>,
}

/// How a play ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    pub at: Stamp,
    /// In which way.
    pub end: PlayEnd,
    /// Milliseconds that were heard.
    pub heard_ms: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Began(Record),
    Ended { play: PlayId, ended: Ended },
    Told { play: PlayId },
}

/// The plays that the hub does not know yet, on the disk.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    records: BTreeMap<PlayId, Record>,
    idle_lines: usize,
    lost: u64,
}

impl Journal {
    /// Opens or begins the journal at `path`.
    ///
    /// # Errors
    /// Where the file cannot be read or written.
    pub fn open(path: &Path) -> io::Result<Self> {
        let text = match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        let mut records = BTreeMap::new();
        for line in text.split(|byte| *byte == b'\n') {
            if let Ok(line) = serde_json::from_slice(line) {
                apply(&mut records, line);
            }
        }
        let file = write_anew(path, &records)?;
        Ok(Self { path: path.to_owned(), file, records, idle_lines: 0, lost: 0 })
    }

    /// A play begins.
    ///
    /// # Errors
    /// Where the disk takes nothing; the play is known all the same, until the program ends.
    pub fn began(&mut self, record: Record) -> io::Result<()> {
        self.put(Line::Began(record))
    }

    /// A play is over. Nothing happens where it is unknown or had ended before.
    ///
    /// # Errors
    /// As [`Journal::began`].
    pub fn ended(&mut self, play: PlayId, ended: Ended) -> io::Result<()> {
        if self.records.get(&play).is_none_or(|record| record.ended.is_some()) {
            return Ok(());
        }
        self.put(Line::Ended { play, ended })
    }

    /// The hub knows these now.
    ///
    /// # Errors
    /// As [`Journal::began`]; then they are told again after a restart, which changes nothing at the hub.
    pub fn told(&mut self, plays: &[PlayId]) -> io::Result<()> {
        let mut text = Vec::new();
        for play in plays.iter().filter(|play| self.records.remove(play).is_some()) {
            write_line(&mut text, &Line::Told { play: *play })?;
            self.idle_lines += 3;
        }
        if text.is_empty() { Ok(()) } else { self.append(&text) }
    }

    /// Plays that have ended and that the hub does not know, oldest first.
    pub fn untold(&self) -> impl Iterator<Item = &Record> {
        self.records.values().filter(|record| record.ended.is_some())
    }

    /// Plays that have begun and not ended, oldest first.
    pub fn open_plays(&self) -> impl Iterator<Item = &Record> {
        self.records.values().filter(|record| record.ended.is_none())
    }

    /// A play that the hub does not know yet, or that is not over.
    pub fn get(&self, play: PlayId) -> Option<&Record> {
        self.records.get(&play)
    }

    /// Plays that gave way since this was opened, because there were too many.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    fn put(&mut self, line: Line) -> io::Result<()> {
        let mut text = Vec::new();
        write_line(&mut text, &line)?;
        apply(&mut self.records, line);
        self.bound();
        self.append(&text)
    }

    /// Lines and one flush, or the whole file where too much of it says nothing new, or where its end may be torn.
    fn append(&mut self, text: &[u8]) -> io::Result<()> {
        if MOST_IDLE_LINES < self.idle_lines {
            self.file = write_anew(&self.path, &self.records)?;
            self.idle_lines = 0;
            return Ok(());
        }
        let done = self.file.write_all(text).and_then(|()| self.file.sync_data());
        if done.is_err() {
            self.idle_lines = MOST_IDLE_LINES + 1;
        }
        done
    }

    fn bound(&mut self) {
        while MOST_PLAYS < self.records.len() {
            let oldest =
                self.records.values().find(|record| record.ended.is_some()).map(|record| record.play);
            let Some(oldest) = oldest else { return };
            self.records.remove(&oldest);
            self.lost += 1;
            self.idle_lines += 2;
        }
    }
}

fn apply(records: &mut BTreeMap<PlayId, Record>, line: Line) {
    match line {
        Line::Began(record) => {
            records.entry(record.play).or_insert(record);
        }
        Line::Ended { play, ended } => {
            if let Some(record) = records.get_mut(&play) {
                record.ended.get_or_insert(ended);
            }
        }
        Line::Told { play } => {
            records.remove(&play);
        }
    }
}

fn write_line(text: &mut Vec<u8>, line: &Line) -> io::Result<()> {
    serde_json::to_writer(&mut *text, line)?;
    text.push(b'\n');
    Ok(())
}

/// Writes what counts beside the file and renames it into its place.
fn write_anew(path: &Path, records: &BTreeMap<PlayId, Record>) -> io::Result<File> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    let mut text = Vec::new();
    for record in records.values() {
        write_line(&mut text, &Line::Began(record.clone()))?;
    }
    file.write_all(&text)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    OpenOptions::new().append(true).open(path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use roomtone_schema::UnixMillis;
    use roomtone_schema::id::Id as _;

    use super::*;

    fn stamp(ms: i64) -> Stamp {
        Stamp { boot: "a".to_owned(), since_boot_ms: ms, wall: UnixMillis(ms) }
    }

    fn record(n: u8) -> Record {
        Record {
            play: PlayId::mint(UnixMillis(i64::from(n)), [n; 10]),
            song: SongId::mint(UnixMillis(1), [n; 10]),
            pick: None,
            tier: Tier::Plan,
            began: stamp(i64::from(n)),
            ended: None,
        }
    }

    fn ended(heard_ms: u32) -> Ended {
        Ended { at: stamp(9), end: PlayEnd::Finished, heard_ms }
    }

    #[test]
    fn a_play_survives_a_death_and_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::open(&path).unwrap();
        journal.began(record(1)).unwrap();
        journal.began(record(2)).unwrap();
        journal.ended(record(1).play, ended(700)).unwrap();
        drop(journal);

        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(
            journal.untold().map(|record| record.ended.as_ref().unwrap().heard_ms).collect::<Vec<_>>(),
            [700]
        );
        assert_eq!(journal.open_plays().map(|record| record.play).collect::<Vec<_>>(), [record(2).play]);
        journal.told(&[record(1).play]).unwrap();
        drop(journal);
        assert_eq!(Journal::open(&path).unwrap().untold().count(), 0);
    }

    #[test]
    fn a_torn_last_line_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::open(&path).unwrap();
        journal.began(record(1)).unwrap();
        journal.ended(record(1).play, ended(1)).unwrap();
        journal.began(record(2)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in 1..40 {
            std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let journal = Journal::open(&path).unwrap();
            assert_eq!(journal.untold().count(), 1, "{cut} bytes less");
            assert_eq!(journal.open_plays().count(), usize::from(cut == 1), "{cut} bytes less");
        }
    }

    #[test]
    fn the_oldest_give_way_and_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&folder.path().join("journal")).unwrap();
        for n in 0..3 {
            journal.records.insert(record(n).play, Record { ended: Some(ended(1)), ..record(n) });
        }
        for n in 0..MOST_PLAYS as u64 {
            let play = PlayId::mint(UnixMillis(1_000 + n.cast_signed()), [0; 10]);
            journal.records.insert(play, Record { play, ..record(9) });
        }
        journal.bound();
        assert_eq!((journal.records.len(), journal.lost(), journal.untold().count()), (MOST_PLAYS, 3, 0));
    }

    proptest! {
        // Each step is flushed to the disk.
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Whatever is done in whatever order, opening again shows what was there, and the file does not grow for ever.
        #[test]
        fn opening_again_shows_the_same(steps in prop::collection::vec((0u8..12, 0u8..3), 0..400)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("journal");
            let mut journal = Journal::open(&path).unwrap();
            for (n, step) in steps {
                let play = record(n).play;
                match step {
                    0 => journal.began(record(n)).unwrap(),
                    1 => journal.ended(play, ended(u32::from(n))).unwrap(),
                    _ => journal.told(&[play]).unwrap(),
                }
            }
            let before = journal.records.clone();
            drop(journal);
            let again = Journal::open(&path).unwrap();
            prop_assert_eq!(&again.records, &before);
            let lines = std::fs::read_to_string(&path).unwrap().lines().count();
            prop_assert_eq!(lines, before.len());
        }
    }
}
