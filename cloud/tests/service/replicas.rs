//! Several replicas over one database.

use std::process::{Child, Command, Stdio};

use std::sync::Arc;

use roomtone_cloud::bus::{Bus, Changes, Link, Topic, nats, postgres as by_postgres};
use roomtone_cloud::secret::Secret;
use roomtone_schema::VenueId;
use roomtone_sync::supervisor::Supervisor;
use uuid::Uuid;

use crate::issuer::{Issuer, Keys};
use crate::postgres::{Postgres, TestDatabase, Version};
use crate::program::{CARRIED, Program, eventually};
use crate::starting::variables;

fn venue(number: u128) -> Topic {
    Topic::Venue(VenueId(Uuid::from_u128(number)))
}

/// A bus of a replica, and what carries for it.
struct Replica {
    bus: Bus,
    link: Arc<Link>,
    carrier: Supervisor,
}

impl Replica {
    async fn by_postgres(database: &TestDatabase) -> Self {
        let (bus, link) = Bus::linked();
        let (carrier, open, told) = (Supervisor::new(), database.open(), link.clone());
        carrier.keep_running("bus", move |stop| by_postgres::work(open.clone(), told.clone(), stop));
        eventually("the carrier listens", async || link.is_connected()).await;
        Self { bus, link, carrier }
    }

    async fn by_nats(server: &Nats) -> Self {
        let (bus, link) = Bus::linked();
        let (carrier, url, told) = (Supervisor::new(), Secret::new(server.url()), link.clone());
        carrier.keep_running("bus", move |stop| nats::work(url.clone(), told.clone(), stop));
        eventually("the carrier listens", async || link.is_connected()).await;
        Self { bus, link, carrier }
    }

    /// Waits until it hears of `topic`, which `from` says: as often as it must, while a way is mended.
    async fn hears_from(&self, from: &Bus, topic: Topic) {
        let mut changes = self.bus.subscribe([topic]);
        let woken = wakes(&mut changes);
        tokio::pin!(woken);
        eventually("a change is heard", async || {
            from.publish(topic);
            tokio::time::timeout(std::time::Duration::from_millis(300), &mut woken).await.is_ok()
        })
        .await;
    }
}

/// Waits until it is woken: by somebody, for by itself it would wake later.
async fn wakes(changes: &mut Changes) {
    let woken = tokio::time::timeout(CARRIED, changes.next()).await;
    assert_eq!(woken, Ok(true), "nothing was carried");
}

/// A NATS server; stopped when dropped.
struct Nats {
    server: Option<Child>,
    port: u16,
}

impl Nats {
    /// `None`, noted as skipped, where it is not installed.
    fn start(test: &str) -> Option<Self> {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut nats = Self { server: None, port };
        match nats.serve() {
            Ok(()) => Some(nats),
            Err(why) => {
                crate::skip::skip(
                    test,
                    &format!("nats-server cannot be started ({why}): apt-get install nats-server"),
                );
                None
            }
        }
    }

    fn serve(&mut self) -> std::io::Result<()> {
        let mut command = Command::new("nats-server");
        command.args(["-a", "127.0.0.1", "-p", &self.port.to_string()]);
        self.server = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _gone = server.kill();
            let _ = server.wait();
        }
    }

    fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.stop();
    }
}

#[tokio::test]
async fn postgres_carries_changes_to_the_other_replicas_and_not_back() {
    let database = Postgres::start(Version::V16).database().await;
    let (one, two) = (Replica::by_postgres(&database).await, Replica::by_postgres(&database).await);
    let mut heard = two.bus.subscribe([venue(1)]);
    one.bus.publish(venue(1));
    wakes(&mut heard).await;
    // More than one notice holds, told at once.
    for number in 2..500 {
        one.bus.publish(venue(number));
    }
    two.hears_from(&one.bus, venue(499)).await;
    eventually("all was heard there", async || two.link.counts().1 >= 499).await;
    assert_eq!(two.link.counts().0, 0, "what is heard is not told back");
    one.hears_from(&two.bus, venue(1)).await;
    // Notices come to everybody in one order, so one's own have come by before those of two, of a topic each.
    eventually("one heard two, and not itself", async || one.link.counts().1 == two.link.counts().0).await;
    one.carrier.stop(crate::program::DEADLINE).await;
    two.carrier.stop(crate::program::DEADLINE).await;
}

#[tokio::test]
async fn a_listening_connection_that_breaks_has_everybody_look_again() {
    let database = Postgres::start(Version::V16).database().await;
    let (one, two) = (Replica::by_postgres(&database).await, Replica::by_postgres(&database).await);
    let mut changes = two.bus.subscribe([venue(1)]);
    let cut: i64 = sqlx::query_scalar(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()",
    )
    .fetch_one(&mut database.superuser().await)
    .await
    .unwrap();
    assert!(cut >= 2, "both were cut");
    // Something may have been missed.
    wakes(&mut changes).await;
    two.hears_from(&one.bus, venue(2)).await;
}

#[tokio::test]
async fn nats_carries_changes_and_the_way_is_mended_when_it_was_gone() {
    let Some(mut server) = Nats::start("nats_carries_changes_and_the_way_is_mended_when_it_was_gone") else {
        return;
    };
    let (one, two) = (Replica::by_nats(&server).await, Replica::by_nats(&server).await);
    let mut heard = two.bus.subscribe([venue(1)]);
    one.bus.publish(venue(1));
    wakes(&mut heard).await;
    server.stop();
    // Said while nobody carries: it is here, and waits for the others.
    one.bus.publish(venue(2));
    server.serve().unwrap();
    two.hears_from(&one.bus, venue(3)).await;
    one.hears_from(&two.bus, venue(3)).await;
}

/// What is done at one replica is known at another; what happens to one is no business of the other.
#[tokio::test]
async fn by_nats_too_a_deleted_account_is_let_go_and_a_killed_replica_takes_nobody_along() {
    let test = "by_nats_too_a_deleted_account_is_let_go_and_a_killed_replica_takes_nobody_along";
    let Some(server) = Nats::start(test) else { return };
    let database = Postgres::start(Version::V16).database().await;
    let keys = Keys::new("a");
    let issuer = Issuer::publishing(&[&keys]).await;
    let url = server.url();
    let mut variables = variables(&database.url, &issuer.project);
    variables.push(("NATS_URL", &url));
    let mut one = Program::up(&["serve"], &variables).await;
    let two = Program::up(&["serve"], &variables).await;
    let user = database.user("a@b.c", None).await;
    let token = keys.sign(&issuer.claims(user));
    assert!(two.knows(&token).await);
    eventually("the bus is there", async || two.metric("bus_connected").await > 0.0).await;
    let mut socket = two.socket(&token).await;
    assert_eq!(socket.hears().await["type"], "connection_ack");
    one.kill().await;
    socket.say(serde_json::json!({ "type": "ping" })).await;
    assert_eq!(socket.hears().await["type"], "pong");
    let third = Replica::by_nats(&server).await;
    let mut conn = database.superuser().await;
    // Not while the first upkeep hangs in weeks: each would wait for what the other holds, and one be sent away.
    let upkeep = "select pg_advisory_lock(hashtext('roomtone.upkeep'))";
    sqlx::query(upkeep).execute(&mut conn).await.unwrap();
    sqlx::query("delete from auth.users where id = $1").bind(user.0).execute(&mut conn).await.unwrap();
    third.bus.publish(Topic::User(user));
    assert_eq!(socket.closed().await, 4403);
}
