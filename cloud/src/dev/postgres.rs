//! A Postgres of one's own: a cluster in a folder, reached by a socket in it and by nothing else.
//!
//! For those who have no server, and for tests. It ends with the program that started it, however that ends: a small
//! shell waits for the end of a pipe that only this program holds.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use sqlx::{Connection as _, PgConnection};

/// Postgres refuses to run as root; then it runs as nobody.
const NOBODY: u32 = 65534;

/// A socket's path has room for 107 bytes, and `/.s.PGSQL.5432` comes after the folder's.
const LONGEST_FOLDER: usize = 107 - 14;

/// How often to ask whether it is up.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How often at most: two minutes, for a slow disk that replays a log.
const LOOKS: u32 = 2400;

/// Starts what follows, and ends it when standard input does. `$1`: a folder to remove then, or nothing.
const KEEPER: &str = r#"
exec 3<&0; scratch=$1; shift
"$@" </dev/null & server=$!
{ read -r _ <&3; kill -INT "$server"; } 2>/dev/null & watcher=$!
wait "$server"; code=$?
kill "$watcher" 2>/dev/null
[ -n "$scratch" ] && rm -rf "$scratch"
exit "$code"
"#;

/// A running cluster. Dropping it stops it in order.
#[derive(Debug)]
pub struct Private {
    folder: PathBuf,
    keeper: Child,
}

impl Private {
    /// Starts the cluster in `folder`, which is made where it is missing, with the programs in `bin`.
    ///
    /// # Errors
    /// Where it cannot be made or does not come up; what it said is in `postgres.log`.
    pub async fn start(folder: &Path, bin: &Path) -> anyhow::Result<Self> {
        Self::run(folder, bin, &[], false).await
    }

    /// The same for tests: nothing of it outlives the program, so nothing of it waits for the disk.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_scratch(folder: &Path, bin: &Path) -> anyhow::Result<Self> {
        let careless = [
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "max_connections=200",
            // Nobody copies it, so it need not keep a gigabyte of log.
            "max_wal_size=128MB",
            "min_wal_size=32MB",
        ];
        Self::run(folder, bin, &careless, true).await
    }

    /// The address of a database, for its superuser.
    pub fn url(&self, database: &str) -> String {
        self.url_as("postgres", database)
    }

    /// The address of a database for somebody.
    pub fn url_as(&self, login: &str, database: &str) -> String {
        Self::address(&self.folder, login, database)
    }

    /// The address that a cluster in `folder` has while it runs.
    pub fn address(folder: &Path, login: &str, database: &str) -> String {
        let folder = folder.canonicalize().unwrap_or_else(|_not_there_yet| folder.to_owned());
        let folder: String = folder.to_string_lossy().bytes().map(escaped).collect();
        format!("postgres://{login}@localhost/{database}?host={folder}&sslmode=disable")
    }

    async fn run(folder: &Path, bin: &Path, settings: &[&str], scratch: bool) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let folder = folder.canonicalize()?;
        if folder.as_os_str().len() > LONGEST_FOLDER {
            bail!("the path {} is too long for a socket in it", folder.display());
        }
        hand_over(&folder)?;
        let data = folder.join("data");
        if !data.join("PG_VERSION").exists() {
            init(bin, &data)?;
        } else if data.join("postmaster.pid").exists() {
            end_predecessor(bin, &data);
        }
        let log = fs::File::create(folder.join("postgres.log"))?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", KEEPER, "keeper"]).arg(if scratch { folder.as_os_str() } else { "".as_ref() });
        command.arg(bin.join("postgres")).arg("-D").arg(&data).arg("-k").arg(&folder);
        command.args(["-c", "listen_addresses="]);
        for setting in settings {
            command.args(["-c", setting]);
        }
        let keeper = as_nobody(&mut command)
            // Ctrl-C at the terminal is for us; the cluster stops when we have done with it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start Postgres")?;
        let mut cluster = Self { folder, keeper };
        cluster.answers().await?;
        Ok(cluster)
    }

    async fn answers(&mut self) -> anyhow::Result<()> {
        let url = self.url("postgres");
        for _ in 0..LOOKS {
            if PgConnection::connect(&url).await.is_ok() {
                return Ok(());
            }
            if let Some(status) = self.keeper.try_wait()? {
                let log = fs::read_to_string(self.folder.join("postgres.log")).unwrap_or_default();
                bail!("Postgres in {} ended at once ({status}):\n{log}", self.folder.display());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        bail!("Postgres in {} does not answer", self.folder.display())
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // The end of the pipe is the sign to stop.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Makes a cluster beside its place and moves it there: one that is there is whole.
fn init(bin: &Path, data: &Path) -> anyhow::Result<()> {
    let half_made = data.with_extension("new");
    if half_made.exists() {
        fs::remove_dir_all(&half_made).with_context(|| format!("cannot remove {}", half_made.display()))?;
    }
    let mut command = Command::new(bin.join("initdb"));
    command.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"]);
    let output = as_nobody(command.arg(&half_made)).output().context("cannot run initdb")?;
    if !output.status.success() {
        bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    fs::rename(&half_made, data).with_context(|| format!("cannot make {}", data.display()))
}

/// Where this program was killed, its server may be about to stop, or may not have noticed: it is waited for. Where there
/// is none, that is said, and is what we want to hear.
fn end_predecessor(bin: &Path, data: &Path) {
    let mut command = Command::new(bin.join("pg_ctl"));
    command.args(["stop", "-m", "fast", "-w", "-t", "60", "-D"]).arg(data);
    if let Ok(output) = as_nobody(&mut command).output() {
        tracing::debug!("the server before this one: {}", String::from_utf8_lossy(&output.stdout).trim());
    }
}

/// A byte of a path as it stands in an address.
fn escaped(byte: u8) -> String {
    let plain = byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
}

/// Gives the folder to whoever Postgres runs as, and to nobody else.
fn hand_over(folder: &Path) -> io::Result<()> {
    if rustix::process::geteuid().is_root() && fs::metadata(folder)?.uid() != NOBODY {
        chown(folder, Some(NOBODY), Some(NOBODY))?;
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

fn as_nobody(command: &mut Command) -> &mut Command {
    // Not where we stand: nobody might not be let in there.
    command.current_dir("/").env("LC_ALL", "C");
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}
