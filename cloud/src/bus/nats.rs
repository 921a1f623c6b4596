//! Carries changes between replicas by NATS: for more of them than Postgres likes to wake.
//!
//! The subject names the topic (`roomtone.venue.<id>`), the payload the replica that speaks. Core NATS keeps nothing:
//! where a connection was lost, everybody looks again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::{Client, ConnectOptions, Event, Subscriber};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::outbox::{Link, Taken};
use crate::secret::Secret;

/// What all subjects begin with.
const PREFIX: &str = "roomtone.";

/// The subject that says "look at everything again".
const EVERYTHING: &str = "roomtone.everything";

/// The time between two turns of one replica: a burst of changes is one.
const PACE: Duration = Duration::from_millis(50);

/// For how long a turn may take before the connection counts as gone.
const SEND_TIME: Duration = Duration::from_secs(10);

/// For how long the last one may take, when all is over.
const LAST_TIME: Duration = Duration::from_secs(2);

/// Carries until `stop`.
///
/// # Errors
/// Where the server is gone; what was not told yet waits.
pub async fn work(url: Secret, link: Arc<Link>, stop: CancellationToken) -> anyhow::Result<()> {
    let (tell, mut events) = mpsc::unbounded_channel();
    let options = ConnectOptions::new().name("roomtone-cloud").event_callback(move |event| {
        let _nobody_listens = tell.send(event);
        std::future::ready(())
    });
    let connecting = options.connect(url.reveal());
    let client = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        client = connecting => client.context("NATS cannot be reached")?,
    };
    let mut said = client.subscribe(format!("{PREFIX}>")).await.context("NATS does not let us listen")?;
    client.flush().await.context("NATS does not let us listen")?;
    link.set_connected(true);
    // What was said before we listened.
    link.look_at_everything();
    let carried = tokio::select! {
        () = stop.cancelled() => Ok(()),
        heard = hear(&mut said, &link) => heard,
        told = tell_all(&client, &link) => told,
        lost = watch(&mut events) => lost,
    };
    link.set_connected(false);
    if stop.is_cancelled() {
        // Others would hear of it half a minute later.
        tell_once(&client, &link, LAST_TIME).await?;
    }
    carried
}

async fn hear(said: &mut Subscriber, link: &Link) -> anyhow::Result<()> {
    let own = link.replica.to_string();
    while let Some(message) = said.next().await {
        if message.payload == own.as_bytes() {
            continue;
        }
        match message.subject.as_str() {
            EVERYTHING => link.look_at_everything(),
            subject => {
                if let Some(Ok(topic)) = subject.strip_prefix(PREFIX).map(str::parse) {
                    link.hear(topic);
                }
            }
        }
    }
    anyhow::bail!("NATS closed the connection")
}

async fn tell_all(client: &Client, link: &Link) -> anyhow::Result<()> {
    loop {
        link.wait().await;
        tell_once(client, link, SEND_TIME).await?;
        tokio::time::sleep(PACE).await;
    }
}

async fn tell_once(client: &Client, link: &Link, within: Duration) -> anyhow::Result<()> {
    let mut held = link.hold();
    let sent = tokio::time::timeout(within, send(client, link, held.taken())).await;
    let sent = sent.map_err(anyhow::Error::from).and_then(|sent| sent);
    sent.context("a change could not be told to the other replicas")?;
    held.told();
    Ok(())
}

async fn send(client: &Client, link: &Link, taken: &mut Taken) -> anyhow::Result<()> {
    let replica = link.replica.to_string();
    let topics = taken.split().concat();
    let everything = taken.is_everything().then(|| EVERYTHING.to_owned());
    let subjects = topics.iter().map(|topic| format!("{PREFIX}{topic}")).chain(everything);
    let mut count = 0;
    for subject in subjects {
        client.publish(subject, replica.clone().into()).await?;
        count += 1;
    }
    client.flush().await?;
    link.count_sent(count);
    Ok(())
}

/// The client mends its connection by itself and says nothing of what it missed: a new beginning is ours, which has
/// everybody look again.
async fn watch(events: &mut mpsc::UnboundedReceiver<Event>) -> anyhow::Result<()> {
    while let Some(event) = events.recv().await {
        match event {
            Event::Disconnected | Event::Closed | Event::SlowConsumer(_) => {
                anyhow::bail!("the connection to NATS is lost: {event}")
            }
            other => tracing::debug!("NATS: {other}"),
        }
    }
    std::future::pending().await
}
