//! `/health`: whether this replica does its work, for people and load balancers.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::sync::Mutex;

use crate::auth::Gatekeeper;
use crate::auth::keys::FRESH;
use crate::cloud::Cloud;
use crate::store::checks;
use crate::upkeep;

/// For how long the database may take to say that it is there.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// What is looked at.
#[derive(Clone)]
pub(super) struct Watched {
    pub(super) cloud: Cloud,
    pub(super) gate: Gatekeeper,
    pub(super) sockets: Arc<AtomicUsize>,
    pub(super) since_ms: i64,
    /// How many facts lie outside every week, and when that was counted.
    pub(super) strays: Arc<Mutex<Option<(i64, i64)>>>,
}

/// For how long a count that costs the database something is told again.
const COUNT_HOLDS_MS: i64 = 30_000;

/// The route.
pub(super) fn router(watched: Watched) -> Router {
    Router::new().route("/health", get(answer)).with_state(watched)
}

/// `ok`; `degraded` where people notice; `down`, with 503, where this replica can answer nobody.
async fn answer(State(watched): State<Watched>) -> Response {
    let database = watched.database_answers().await;
    let problems = watched.problems(database);
    let (status, code) = match (database, problems.is_empty()) {
        (false, _) => ("down", StatusCode::SERVICE_UNAVAILABLE),
        (true, false) => ("degraded", StatusCode::OK),
        (true, true) => ("ok", StatusCode::OK),
    };
    let body = json!({
        "status": status,
        "problems": problems,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_s": watched.uptime().as_secs(),
    });
    (code, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

impl Watched {
    /// Facts outside every week, counted now and then however often it is asked; `None` where that failed.
    pub(super) async fn stray_facts(&self) -> Option<i64> {
        let mut last = self.strays.lock().await;
        let now = self.cloud.clock.monotonic_ms();
        if let Some((count, at)) = *last
            && now - at < COUNT_HOLDS_MS
        {
            return Some(count);
        }
        let count = upkeep::stray_facts(&self.cloud.database).await.ok()?;
        *last = Some((count, now));
        Some(count)
    }

    /// For how long this replica has been up.
    pub(super) fn uptime(&self) -> Duration {
        let ms = self.cloud.clock.monotonic_ms().saturating_sub(self.since_ms).max(0);
        Duration::from_millis(ms.cast_unsigned())
    }

    /// Whether the database answers.
    pub(super) async fn database_answers(&self) -> bool {
        let asked = async {
            let mut connection = self.cloud.database.pool().acquire().await?;
            checks::is_there(&mut connection).await
        };
        matches!(tokio::time::timeout(ANSWER_TIME, asked).await, Ok(Ok(())))
    }

    fn problems(&self, database: bool) -> Vec<&'static str> {
        let keys = self.gate.keys();
        let stale = keys.age().is_none_or(|age| FRESH * 2 < age);
        let alone = self.cloud.bus.link().is_some_and(|link| !link.is_connected());
        [
            (!database, "the database does not answer"),
            (keys.count() == 0, "the issuer's keys are not here: no token can be verified"),
            (keys.count() > 0 && stale, "the issuer's keys cannot be refreshed; the last ones are used"),
            (alone, "changes made at other replicas are noticed within half a minute, and not at once"),
        ]
        .into_iter()
        .filter_map(|(so, why)| so.then_some(why))
        .collect()
    }
}
