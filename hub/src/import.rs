//! From a folder of files to songs in the catalogue.
//!
//! Each file is looked at in a child process, copied into the media folder under the name of its content, and only
//! then added to the catalogue: a song that is known is a song that can be played. A second run over the same
//! folder is quick, and one that was interrupted goes on where it stopped. What is absent: deleting and moving;
//! the folder stays as it is.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use roomtone_analysis::{AnalysisError, Reason, Worker};
use roomtone_schema::song::{Sha256, SongFacts, SongStatus};
use roomtone_sync::file_cache::{CacheError, Expected, FileCache, sum_of};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::hub::{Added, Hub};
use crate::store::StoreError;

mod memory;
mod walk;

use memory::{Fingerprint, Memory, Remembered};
use walk::Found;

/// One import at a time: two over the same folder would look at every file twice.
static IMPORTING: Mutex<()> = Mutex::const_new(());

/// What an import tells while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The folders have been walked.
    Found {
        /// How many files may be songs.
        files: usize,
    },
    /// One file is done.
    Took {
        /// How many are done, with this one.
        done: usize,
        /// How many there are.
        total: usize,
        /// Which it was.
        path: PathBuf,
        /// What became of it.
        outcome: Outcome,
    },
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is a song of the catalogue now.
    Added,
    /// It was one before.
    Known,
    /// It is none, for this reason.
    Refused(String),
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Songs that are new in the catalogue.
    pub added: usize,
    /// Songs that were there already.
    pub known: usize,
    /// What was not taken, and why, in the order of their names.
    pub refused: Vec<(PathBuf, String)>,
    /// Whether somebody stopped it before the end.
    pub stopped: bool,
}

/// Why an import could not go on. What was taken until then stays.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is nothing under that name.
    #[error("{} cannot be read: {source}", path.display())]
    Place {
        /// What was to be imported.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The child process could not be started.
    #[error("{0}")]
    Analysis(AnalysisError),
    /// The media folder takes no more.
    #[error("the music could not be copied into the hub's data folder: {0}")]
    Media(#[from] CacheError),
    /// The catalogue takes no more.
    #[error("the song could not be written into the catalogue: {0}")]
    Store(#[from] StoreError),
    /// A bug of ours: looking at a file panicked outside of its process.
    #[error("the import broke off: {0}")]
    Broke(#[from] tokio::task::JoinError),
}

/// Imports everything under `roots`, with children of this very program. See [`run_with`].
pub async fn run(
    hub: &Hub,
    roots: &[PathBuf],
    stop: &CancellationToken,
    tell: impl Fn(Step) + Send + Sync,
) -> Result<Report, ImportError> {
    let myself = |source| ImportError::Place { path: PathBuf::from("/proc/self/exe"), source };
    let worker = Worker::of_this_program().map_err(myself)?;
    run_with(hub, roots, stop, tell, worker).await
}

/// Imports everything under `roots` with the given worker, telling each step.
///
/// # Errors
/// [`ImportError`] where it cannot go on at all; a file that is no song is no error, it stands in the report.
pub async fn run_with(
    hub: &Hub,
    roots: &[PathBuf],
    stop: &CancellationToken,
    tell: impl Fn(Step) + Send + Sync,
    worker: Worker,
) -> Result<Report, ImportError> {
    let _turn = IMPORTING.lock().await;
    let desk = Arc::new(Desk::open(hub, worker)?);
    let (places, avoid) = (roots.to_vec(), hub.media_dir());
    let found = tokio::task::spawn_blocking(move || walk::walk(&places, &avoid)).await??;
    let total = found.len();
    tell(Step::Found { files: total });
    let mut report = Report::default();
    let mut taken = stream::iter(found)
        .take_while(|_| std::future::ready(!stop.is_cancelled()))
        .map(|found| take(hub, Arc::clone(&desk), found))
        .buffer_unordered(children());
    while let Some(result) = taken.next().await {
        let (path, outcome) = result?;
        report.count(&path, &outcome);
        tell(Step::Took { done: report.done(), total, path, outcome });
    }
    report.refused.sort();
    report.stopped = report.done() < total;
    Ok(report)
}

impl Report {
    fn done(&self) -> usize {
        self.added + self.known + self.refused.len()
    }

    fn count(&mut self, path: &Path, outcome: &Outcome) {
        match outcome {
            Outcome::Added => self.added += 1,
            Outcome::Known => self.known += 1,
            Outcome::Refused(why) => self.refused.push((path.to_owned(), why.clone())),
        }
    }
}

/// All cores but one: the music that plays meanwhile has the last.
fn children() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get).saturating_sub(1).max(1)
}

/// One file, from its name to the catalogue.
async fn take(hub: &Hub, desk: Arc<Desk>, found: Found) -> Result<(PathBuf, Outcome), ImportError> {
    let Found { path, unreadable } = found;
    if let Some(why) = unreadable {
        return Ok((path, Outcome::Refused(why)));
    }
    let (file, looking) = (path.clone(), Arc::clone(&desk));
    let (seen, fingerprint) = tokio::task::spawn_blocking(move || looking.look(&file)).await??;
    let outcome = match seen {
        Seen::Known => Outcome::Known,
        Seen::Refused(why) => Outcome::Refused(why),
        Seen::Song(facts) => enter(hub, *facts, &desk, fingerprint.as_ref()).await?,
    };
    Ok((path, outcome))
}

/// Puts a song whose file is in the media folder into the catalogue.
async fn enter(
    hub: &Hub,
    facts: SongFacts,
    desk: &Desk,
    fingerprint: Option<&Fingerprint>,
) -> Result<Outcome, ImportError> {
    let sha256 = facts.sha256;
    let added = hub.add_song(facts).await?;
    if let Some(fingerprint) = fingerprint {
        desk.memory.remember(fingerprint, &Remembered::Song(sha256));
    }
    Ok(match added {
        Added::New(_) | Added::Restored(_) => Outcome::Added,
        Added::Known(_) => Outcome::Known,
    })
}

/// What the blocking half of the work needs.
struct Desk {
    worker: Worker,
    media: FileCache,
    memory: Memory,
    /// What is in the catalogue and has its file.
    known: HashSet<Sha256>,
}

/// What looking at a file came to.
enum Seen {
    /// The catalogue has it.
    Known,
    /// Its file is in the media folder, and these are its facts.
    Song(Box<SongFacts>),
    /// It is no song.
    Refused(String),
}

impl Desk {
    fn open(hub: &Hub, worker: Worker) -> Result<Self, ImportError> {
        let media = FileCache::open(&hub.media_dir(), None)?;
        let songs = hub.songs();
        let ready =
            songs.iter().filter(|song| song.status == SongStatus::Ready).map(|song| song.facts.sha256);
        let known = ready.filter(|&sha256| media.contains(sha256)).collect();
        Ok(Self { worker, memory: Memory::open(hub.data_dir()), media, known })
    }

    fn look(&self, file: &Path) -> Result<(Seen, Option<Fingerprint>), ImportError> {
        let fingerprint = Fingerprint::of(file).ok();
        let remembered = fingerprint.as_ref().and_then(|fingerprint| self.memory.recall(fingerprint));
        let seen = match remembered {
            Some(Remembered::Song(sha256)) if self.known.contains(&sha256) => Seen::Known,
            Some(Remembered::Refused(why)) => Seen::Refused(why),
            _ => self.look_closely(file, fingerprint.as_ref())?,
        };
        Ok((seen, fingerprint))
    }

    fn look_closely(&self, file: &Path, fingerprint: Option<&Fingerprint>) -> Result<Seen, ImportError> {
        // The sum takes a tenth of the analysis: a file that only moved or has a twin is done here.
        if let Some(sha256) = sum_of(file).ok().filter(|sha256| self.known.contains(sha256)) {
            self.remember(fingerprint, &Remembered::Song(sha256));
            return Ok(Seen::Known);
        }
        match self.worker.analyse(file) {
            Ok(facts) => self.keep(file, facts),
            Err(error @ AnalysisError { reason: Reason::NotStarted(_), .. }) => {
                Err(ImportError::Analysis(error))
            }
            Err(error) => {
                let why = error.reason.to_string();
                if error.reason.is_permanent() {
                    self.remember(fingerprint, &Remembered::Refused(why.clone()));
                }
                Ok(Seen::Refused(why))
            }
        }
    }

    fn keep(&self, file: &Path, facts: SongFacts) -> Result<Seen, ImportError> {
        match self.media.add_file(file, Expected { sha256: facts.sha256, bytes: facts.bytes }) {
            Ok(_) => Ok(Seen::Song(Box::new(facts))),
            Err(CacheError::OtherContent { .. } | CacheError::OtherLength { .. }) => {
                Ok(Seen::Refused("it changed while it was being read; import it again".to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn remember(&self, fingerprint: Option<&Fingerprint>, what: &Remembered) {
        if let Some(fingerprint) = fingerprint {
            self.memory.remember(fingerprint, what);
        }
    }
}
