//! What needs Postgres and the media store besides a [`CloudStore`]: enrolment, snapshots, files.

use std::sync::Arc;

use axum::routing::post;
use axum::{Extension, Router};
use roomtone_sync::store::CloudStore;
use roomtone_sync::wire::{Problem, ProblemCode};

use super::enrolment::{self, Wrong};
use super::snapshots::{self, Wanted};
use super::{Desk, media, pairing, problem, questions};
use crate::cloud::Cloud;

/// What these routes work with. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Office {
    /// The cloud.
    pub cloud: Cloud,
    /// Which snapshots are to be made.
    pub snapshots: Wanted,
    pub(super) wrong: Arc<Wrong>,
}

impl Office {
    /// The office of a cloud.
    pub fn new(cloud: Cloud) -> Self {
        Self { cloud, snapshots: Wanted::default(), wrong: Arc::default() }
    }
}

/// Everything that hubs ask.
pub fn routes<S: CloudStore>(office: Office, desk: Desk<S>) -> Router {
    let more = Router::new()
        .route("/v1/hubs/enrol", post(enrolment::enrol::<S>))
        .route("/v1/hubs/rotate", post(enrolment::rotate::<S>))
        .route("/v1/sync/snapshot", post(snapshots::snapshot::<S>))
        .route("/v1/sync/pairing", post(pairing::pairing::<S>))
        .route("/v1/sync/downloads", post(media::downloads::<S>))
        .route("/v1/sync/upload", post(media::upload::<S>))
        .route("/v1/sync/uploaded", post(media::uploaded::<S>))
        .layer(Extension(office));
    questions(desk, more)
}

/// What is ours. The hub is told that it was, and the log what it was.
pub(super) fn failed(error: &dyn std::fmt::Display) -> Problem {
    tracing::warn!(%error, "a hub's question could not be answered; it asks again by itself");
    problem(ProblemCode::Failed, "the cloud could not do it; nothing was taken, ask again")
}
