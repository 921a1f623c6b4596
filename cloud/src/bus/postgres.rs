//! Carries changes between replicas by Postgres' `listen` and `notify`.
//!
//! A notice takes a lock that all committing notifiers share, so it is never part of somebody's transaction: what has
//! changed is gathered and told a few times a second in a transaction of its own. One connection of each replica
//! listens. Where it breaks, something may have been missed, and everybody looks again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sqlx::postgres::{PgListener, PgPool, PgPoolOptions};
use tokio_util::sync::CancellationToken;

use super::outbox::{Link, Taken};
use crate::database::Database;
use crate::store::notices;

/// The channel.
const CHANNEL: &str = "roomtone";

/// What says "look at everything again" in the place of a topic.
const EVERYTHING: &str = "*";

/// The time between two notices of one replica: a change is elsewhere within a moment, and a burst of them is one.
const PACE: Duration = Duration::from_millis(150);

/// For how long one notice may take before the connection counts as gone.
const SEND_TIME: Duration = Duration::from_secs(10);

/// For how long the last one may take, when all is over.
const LAST_TIME: Duration = Duration::from_secs(2);

/// Carries until `stop`.
///
/// # Errors
/// Where the database is gone; what was not told yet waits.
pub async fn work(database: Database, link: Arc<Link>, stop: CancellationToken) -> anyhow::Result<()> {
    let pool = listening_pool(&database);
    let mut listener = PgListener::connect_with(&pool).await.context("no connection to listen on")?;
    listener.listen(CHANNEL).await.context("the database does not let us listen")?;
    link.set_connected(true);
    // What was said before we listened.
    link.look_at_everything();
    let carried = tokio::select! {
        () = stop.cancelled() => Ok(()),
        heard = hear(&mut listener, &link) => heard,
        told = tell(&database, &link) => told,
    };
    link.set_connected(false);
    if stop.is_cancelled() {
        // Others would hear of it half a minute later.
        let told = tell_once(&database, &link, LAST_TIME).await;
        // A listener that is only dropped says goodbye in the background, to a database that may be gone by then.
        let closed = pool.close();
        drop(listener);
        let _late = tokio::time::timeout(LAST_TIME, closed).await;
        told?;
    }
    carried
}

/// One connection that is kept for as long as it lasts.
fn listening_pool(database: &Database) -> PgPool {
    let options = PgPoolOptions::new().max_connections(1).acquire_timeout(SEND_TIME);
    options.connect_lazy_with((*database.pool().connect_options()).clone())
}

async fn hear(listener: &mut PgListener, link: &Link) -> anyhow::Result<()> {
    loop {
        let Some(notice) = listener.try_recv().await? else {
            anyhow::bail!("the listening connection broke")
        };
        take_in(notice.payload(), link);
    }
}

/// A notice is `["<replica>", "<topic>", ..]`. Anybody who may connect may send one, so it is read with care; the worst
/// that it can do is to have us look again.
fn take_in(payload: &str, link: &Link) {
    let Ok(words) = serde_json::from_str::<Vec<String>>(payload) else { return };
    let Some((replica, words)) = words.split_first() else { return };
    if *replica == link.replica.to_string() {
        return;
    }
    for word in words {
        match word.parse() {
            Ok(topic) => link.hear(topic),
            Err(_) if word == EVERYTHING => link.look_at_everything(),
            // A newer version's.
            Err(_) => {}
        }
    }
}

async fn tell(database: &Database, link: &Link) -> anyhow::Result<()> {
    loop {
        link.wait().await;
        tell_once(database, link, SEND_TIME).await?;
        tokio::time::sleep(PACE).await;
    }
}

async fn tell_once(database: &Database, link: &Link, within: Duration) -> anyhow::Result<()> {
    let mut held = link.hold();
    let sent = tokio::time::timeout(within, send(database, link, held.taken())).await;
    let sent = sent.map_err(anyhow::Error::from).and_then(|sent| sent);
    sent.context("a change could not be told to the other replicas")?;
    held.told();
    Ok(())
}

async fn send(database: &Database, link: &Link, taken: &mut Taken) -> anyhow::Result<()> {
    let replica = link.replica.to_string();
    let mut messages: Vec<Vec<String>> =
        taken.split().iter().map(|topics| topics.iter().map(ToString::to_string).collect()).collect();
    if taken.is_everything() {
        messages.push(vec![EVERYTHING.to_owned()]);
    }
    let mut work = database.pool().begin().await?;
    for mut message in messages.iter().cloned() {
        message.insert(0, replica.clone());
        notices::send(&mut work, CHANNEL, &serde_json::to_string(&message)?).await?;
    }
    work.commit().await?;
    link.count_sent(messages.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::{Bus, Topic};

    #[test]
    fn a_full_notice_is_carried_by_postgres() {
        let longest = Topic::Organisation(roomtone_schema::OrganisationId(uuid::Uuid::max()));
        let (_bus, link) = Bus::linked();
        let message = vec![longest.to_string(); 120];
        let bytes = serde_json::to_string(&message).unwrap().len() + link.replica.to_string().len() + 3;
        assert!(bytes < 8_000, "{bytes}");
    }

    #[test]
    fn odd_notices_do_no_harm() {
        let (_bus, link) = Bus::linked();
        for payload in ["", "{}", "[]", "[1]", "[\"x\", \"planet.1\"]", "[\"x\", \"venue.z\"]"] {
            take_in(payload, &link);
        }
        assert_eq!(link.counts(), (0, 0));
        take_in("[\"x\", \"venue.00000000-0000-0000-0000-000000000007\"]", &link);
        assert_eq!(link.counts(), (0, 1));
    }
}
