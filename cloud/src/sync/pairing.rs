//! Players that are let in from here: the hub that a pairing is for fetches its code, and tells what came of it.

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use roomtone_schema::PairingId;
use roomtone_sync::store::{CloudStore, KnownHub};
use roomtone_sync::wire::{PairingAnswer, PairingAsk, PairingSaid};

use super::routes::{Office, failed};
use super::{Answered, Body, Class, Desk};
use crate::bus::Topic;
use crate::pairings::Stored;
use crate::store::pairings;

/// A hub asks about a pairing, or tells of it. One that is not for it is as one that never was.
pub(super) async fn pairing<S: CloudStore>(
    State(desk): State<Desk<S>>,
    Extension(office): Extension<Office>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    desk.ask(&headers, Class::Feed, body, async |hub, ask: PairingAsk| answer(&office, &hub, &ask).await)
        .await
}

async fn answer(office: &Office, hub: &KnownHub, ask: &PairingAsk) -> Answered<PairingAnswer> {
    let id = PairingId(ask.pairing);
    let (state, player) = match ask.said {
        PairingSaid::Wants => return code(office, hub, id).await,
        PairingSaid::Opened => (Stored::Ready, None),
        PairingSaid::Paired(player) => (Stored::Paired, Some(player)),
        PairingSaid::UsedUp => (Stored::UsedUp, None),
        PairingSaid::NoZone => (Stored::NoZone, None),
        PairingSaid::Closed => (Stored::Closed, None),
    };
    let told = async {
        let mut work = office.cloud.database.as_hub(hub.id, hub.venue).await?;
        let is_news = pairings::tell(&mut work, id, state, player).await?;
        work.commit().await?;
        Ok(is_news)
    };
    if told.await.map_err(|error: sqlx::Error| failed(&error))? {
        office.cloud.bus.publish(Topic::Venue(hub.venue));
    }
    Ok(PairingAnswer { digits: None, left_ms: 0 })
}

async fn code(office: &Office, hub: &KnownHub, id: PairingId) -> Answered<PairingAnswer> {
    let found = async {
        let mut work = office.cloud.database.as_hub(hub.id, hub.venue).await?;
        pairings::code(&mut work, id).await
    };
    let (digits, left) = found.await.map_err(|error| failed(&error))?.unzip();
    Ok(PairingAnswer { digits, left_ms: left.unwrap_or(0).max(0).cast_unsigned() })
}
