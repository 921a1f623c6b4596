//! Opening the database: whose it is, whether it is sound, and what happens where it is not.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use roomtone_schema::id::Id;
use roomtone_schema::vote::Hlc;
use roomtone_schema::{BootId, Clock};
use rusqlite::Connection;

use super::connection;
use super::error::{OpenError, Trouble, trouble};
use super::lock::Lock;
use super::{FILE_NAME, ballast::Ballast, damage, hub_state, migrate, outbox};

/// How many facts are compared with their digests at the start (about 0.1 s).
const FACTS_TO_CHECK: u32 = 20_000;

/// What was found when the store was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// There was no database; this one is new and empty.
    pub created: bool,
    /// The version before it was brought up to date, where it was older.
    pub migrated_from: Option<u32>,
    /// The last stop was a power cut or a kill; the file was checked.
    pub unclean: bool,
    /// Facts whose digest does not fit: the file is sound for SQLite, but not what was written.
    pub unsound_facts: u64,
    /// The database was damaged and something else stands in its place.
    pub restored: Option<Restored>,
}

/// What stands in the place of a damaged database. Never silent: whoever opens the store shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Where the damaged files are kept.
    pub kept_at: Option<PathBuf>,
    /// The backup that was taken; `None`: no backup was sound, the hub starts anew.
    pub from_backup: Option<PathBuf>,
    /// Facts since the backup that were read from the damaged file and verified.
    pub salvaged: u64,
    /// Facts that are known to be missing; `None`: the damaged file does not tell any more.
    pub lost: Option<u64>,
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.from_backup {
            Some(backup) => write!(f, "the database was replaced by the backup {}", backup.display())?,
            None => {
                f.write_str(
                    "the database was damaged and no backup is sound: the hub starts with a new one",
                )?;
            }
        }
        write!(f, "; {} later facts were saved", self.salvaged)?;
        match self.lost {
            Some(lost) => write!(f, ", {lost} are lost")?,
            None => f.write_str(", how many are lost cannot be told")?,
        }
        match &self.kept_at {
            Some(kept_at) => write!(f, ". What stood there is kept in {}", kept_at.display()),
            None => Ok(()),
        }
    }
}

/// What the writer's thread takes over.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) conn: Connection,
    pub(super) lock: Lock,
    pub(super) boot: BootId,
    pub(super) hlc: Hlc,
    pub(super) last_seq: i64,
    pub(super) acknowledged: i64,
}

/// Opens a database only to ask it something, all in one snapshot.
pub(super) fn only_look<T>(
    path: &Path,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, OpenError> {
    if !path.exists() {
        return Err(OpenError::Nothing { path: path.to_owned() });
    }
    let mut conn = connection::reader(path)?;
    connection::check_owner(&conn, path)?;
    let found = migrate::check_version(&conn)?;
    if found < migrate::VERSION {
        return Err(OpenError::Older { found, known: migrate::VERSION });
    }
    let snapshot = conn.transaction()?;
    Ok(work(&snapshot)?)
}

/// Takes the folder and opens its database.
pub(super) fn open(dir: &Path, clock: &Arc<dyn Clock>) -> Result<(Parts, Opened), OpenError> {
    let lock = Lock::take(dir)?;
    let path = dir.join(FILE_NAME);
    let created = !path.exists();
    let mut opened = Opened { created, ..Opened::default() };
    if !created {
        match examine(&path)? {
            Found::Clean => {}
            Found::Unclean => opened.unclean = true,
            Found::Damaged(what) => {
                tracing::error!("the database is damaged ({what}); mending it");
                opened.restored = Some(damage::mend(dir, clock)?);
            }
        }
    }
    let (conn, version) = open_writer(&path)?;
    opened.migrated_from = (!created && version < migrate::VERSION).then_some(version);
    opened.unsound_facts = outbox::unsound(&conn, FACTS_TO_CHECK)?;
    let parts = Parts {
        boot: boot_id(clock.as_ref()),
        hlc: Hlc(outbox::last_hlc(&conn)?),
        last_seq: outbox::last_seq(&conn)?,
        acknowledged: outbox::acknowledged(&conn)?,
        conn,
        lock,
    };
    Ok((parts, opened))
}

/// Opens the database, brings it up to date and marks it as in use. A full disk gives its reserve for that.
pub(super) fn open_writer(path: &Path) -> Result<(Connection, u32), OpenError> {
    match try_open_writer(path) {
        Err(OpenError::Sqlite(error))
            if trouble(&error) == Trouble::DiskFull && Ballast::of(path).release() =>
        {
            try_open_writer(path)
        }
        other => other,
    }
}

fn try_open_writer(path: &Path) -> Result<(Connection, u32), OpenError> {
    let mut conn = connection::writer(path)?;
    let version = migrate::migrate(&mut conn)?;
    hub_state::put(&conn, hub_state::CLEAN, 0)?;
    Ok((conn, version))
}

/// What a look at an existing file found.
enum Found {
    Clean,
    Unclean,
    Damaged(String),
}

/// Looks at the file several times before calling it damaged: a passing read error looks just the same, and one sound
/// look proves it was that.
fn examine(path: &Path) -> Result<Found, OpenError> {
    for _ in 1..damage::LOOKS {
        match look(path)? {
            Found::Damaged(_) => std::thread::sleep(damage::BETWEEN_LOOKS),
            sound => return Ok(sound),
        }
    }
    look(path)
}

fn look(path: &Path) -> Result<Found, OpenError> {
    match try_look(path) {
        Err(OpenError::Sqlite(error)) if trouble(&error) == Trouble::Damage => {
            Ok(Found::Damaged(error.to_string()))
        }
        other => other,
    }
}

/// The whole file is checked at every start: it takes half a second per 100 MB, and damage that is found late has
/// been copied into the backups.
fn try_look(path: &Path) -> Result<Found, OpenError> {
    let conn = connection::reader(path)?;
    if let Some(what) = connection::quick_check(&conn)? {
        return Ok(Found::Damaged(what));
    }
    connection::check_owner(&conn, path)?;
    if migrate::check_version(&conn)? == 0 {
        return Ok(Found::Unclean);
    }
    let clean: Option<i64> = hub_state::get(&conn, hub_state::CLEAN)?;
    Ok(if clean == Some(1) { Found::Clean } else { Found::Unclean })
}

/// Which run of the machine this is: the system's own number, or a fresh one where it has none.
fn boot_id(clock: &dyn Clock) -> BootId {
    let system = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    system.ok().and_then(|text| text.trim().parse().ok()).unwrap_or_else(|| {
        let mut random = [0; 10];
        if getrandom::fill(&mut random).is_err() {
            tracing::debug!("no random bits for a boot id; the clock alone makes it");
        }
        BootId::mint(clock.wall(), random)
    })
}
