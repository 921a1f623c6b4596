//! Whether a pooler in transaction mode stands before the database.
//!
//! Such a pooler hands the statements of one session to several connections. Between our transactions that may pass
//! unseen for a long time, and then a prepared statement answers with another one's rows. So several sessions each
//! leave a mark that outlives a transaction, and look for it again while the others do the same.

use roomtone_schema::UnixMillis;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};

use super::Finding;
use crate::database::Database;
use crate::store::checks;

/// Sessions at once: more than one, so that they get in each other's way.
const SESSIONS: usize = 3;

/// How often each looks for its mark.
const ROUNDS: usize = 5;

const TODO: &str = "Connect directly or in session mode: in DATABASE_URL use port 5432, not 6543.";

/// Looks; `now` tells the marks of this run from those of another.
///
/// # Errors
/// Where nothing can be connected to, which is another matter.
pub(super) async fn look(database: &Database, now: UnixMillis) -> sqlx::Result<Finding> {
    let options = database.pool().connect_options();
    let first = options.connect().await?;
    Ok(match probe(&options, first, now).await {
        Ok(None) => Finding::well("session_connection", "Each session has a connection of its own."),
        Ok(Some(seen)) => serious().seen(seen),
        Err(error) => serious().seen(format!("a session could not be kept up: {error}")),
    })
}

fn serious() -> Finding {
    Finding::serious(
        "transaction_pooler",
        "DATABASE_URL leads to a pooler in transaction mode, behind which answers can be mixed up",
        TODO,
    )
}

async fn probe(
    options: &PgConnectOptions,
    first: PgConnection,
    now: UnixMillis,
) -> sqlx::Result<Option<String>> {
    let mut connected = vec![first];
    for _ in 1..SESSIONS {
        connected.push(options.connect().await?);
    }
    let mut sessions = Vec::new();
    for (number, mut session) in connected.into_iter().enumerate() {
        let mark = format!("{}-{number}", now.0);
        let backend = checks::leave_mark(&mut session, &mark).await?;
        sessions.push((session, mark, backend));
    }
    for _ in 0..ROUNDS {
        for (session, mark, backend) in &mut sessions {
            if let Some(seen) = find_mark(session, mark, *backend).await? {
                return Ok(Some(seen));
            }
        }
        // And all at once.
        let asked = sessions.iter_mut().map(|(session, mark, backend)| find_mark(session, mark, *backend));
        let all = futures_util::future::try_join_all(asked).await?;
        if let Some(seen) = all.into_iter().flatten().next() {
            return Ok(Some(seen));
        }
    }
    Ok(None)
}

async fn find_mark(session: &mut PgConnection, mark: &str, backend: i32) -> sqlx::Result<Option<String>> {
    let (found, at) = checks::find_mark(session).await?;
    if at != backend {
        return Ok(Some(format!("one session was answered by backend {backend}, then by {at}")));
    }
    let same = found == mark;
    Ok((!same).then(|| format!("a session set {mark:?} and found {found:?}")))
}
