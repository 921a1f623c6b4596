//! A pooler before the database: pgbouncer, in both of its modes.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use crate::issuer::{Issuer, Keys};
use crate::postgres::{Postgres, TestDatabase, Version};
use crate::program::{Program, eventually};
use crate::starting::variables;

/// A pgbouncer; stopped when dropped.
struct Pooler {
    server: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Pooler {
    async fn start(test: &str, database: &TestDatabase, mode: &str) -> Option<Self> {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let (place, query) = database.url.split_once("?host=").unwrap();
        let socket = query.split('&').next().unwrap();
        let name = place.rsplit('/').next().unwrap();
        let users = folder.path().join("users");
        std::fs::write(&users, "\"roomtone_app\" \"\"\n").unwrap();
        let written = format!(
            "[databases]\n{name} = host={socket} dbname={name} user=roomtone_app\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = {mode}\n\
             default_pool_size = 8\nignore_startup_parameters = options,extra_float_digits\n",
            users.display()
        );
        let settings = folder.path().join("pgbouncer.ini");
        std::fs::write(&settings, written).unwrap();
        let mut command = Command::new("pgbouncer");
        // It runs as root as little as Postgres does.
        if rustix::process::geteuid().is_root() {
            command = Command::new("setpriv");
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "pgbouncer"]);
        }
        let found = Command::new("pgbouncer").arg("--version").output();
        if let Err(why) = found {
            crate::skip::skip(
                test,
                &format!("pgbouncer cannot be started ({why}): apt-get install pgbouncer"),
            );
            return None;
        }
        command
            .arg(&settings)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let server = command.spawn().unwrap();
        let pooler = Self { server, port, _folder: folder };
        eventually("the pooler listens", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
        Some(pooler)
    }

    fn url(&self, database: &TestDatabase) -> String {
        let (place, _) = database.url.split_once('?').unwrap();
        let name = place.rsplit('/').next().unwrap();
        format!("postgres://roomtone_app@127.0.0.1:{}/{name}?sslmode=disable", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _gone = self.server.kill();
        let _ = self.server.wait();
    }
}

#[tokio::test]
async fn behind_a_transaction_pooler_nobody_is_served() {
    let database = Postgres::start(Version::V16).database().await;
    let test = "behind_a_transaction_pooler_nobody_is_served";
    let Some(pooler) = Pooler::start(test, &database, "transaction").await else { return };
    let mut program = Program::start(&["serve"], &variables(&pooler.url(&database), "http://127.0.0.1:9"));
    assert_eq!(program.ends().await.code(), Some(1), "{}", program.said());
    let said = program.said();
    assert!(said.contains("a pooler in transaction mode") && said.contains("port 5432"), "{said}");
}

#[tokio::test]
async fn behind_a_session_pooler_people_are_served() {
    let database = Postgres::start(Version::V16).database().await;
    let test = "behind_a_session_pooler_people_are_served";
    let Some(pooler) = Pooler::start(test, &database, "session").await else { return };
    let keys = Keys::new("a");
    let issuer = Issuer::publishing(&[&keys]).await;
    let url = pooler.url(&database);
    let mut variables = variables(&url, &issuer.project);
    variables.push(("ROOMTONE_CLOUD_DATABASE_CONNECTIONS", "2"));
    let replica = Program::up(&["serve"], &variables).await;
    let token = keys.sign(&issuer.claims(database.user("a@b.c", None).await));
    assert!(replica.knows(&token).await);
}
