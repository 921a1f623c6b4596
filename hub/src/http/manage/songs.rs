//! Songs that a manager sends: each is looked at by the hub's own import, and taken or refused with a reason.

use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{No, Office, arriving, reply};
use crate::import;

/// What is decoded at most is held in as much, so nothing longer could be played.
const LONGEST_FILE: u64 = 512 << 20;

#[derive(Deserialize)]
pub(super) struct Named {
    name: String,
}

/// Takes one file; the answer says what became of it. Whoever goes away meanwhile has sent nothing.
pub(super) async fn take(
    State(office): State<Office>,
    Query(Named { name }): Query<Named>,
    request: Request,
) -> Result<Response, No> {
    office.admit(&request).await?;
    let data = office.hub.data_dir().to_owned();
    let file = arriving::take(request, &data, (&name, LONGEST_FILE), &office.arriving).await?;
    let report = import::run(&office.hub, &[file.path()], &CancellationToken::new(), |_step| {}).await?;
    let (outcome, why) = match (report.added, report.known, report.refused.first()) {
        (1.., _, _) => ("added", None),
        (_, 1.., _) => ("known", None),
        (_, _, Some((_, why))) => ("refused", Some(why.as_str())),
        _ => (
            "refused",
            Some("it is no music that the hub plays: MP3, FLAC, Ogg Vorbis, WAV and AAC (M4A) are"),
        ),
    };
    office.hub.settle().await;
    Ok(reply(StatusCode::OK, &json!({ "outcome": outcome, "why": why })))
}
