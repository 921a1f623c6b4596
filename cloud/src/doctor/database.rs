//! What is looked at in the database.

use roomtone_schema::{Clock, HubId, UserId, VenueId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Finding, pooler};
use crate::config::Config;
use crate::database::Database;
use crate::migrations;
use crate::store::checks::{self, Login};

/// The oldest Postgres whose behaviour we know.
const OLDEST: i32 = 150_000;

/// Of what the server allows, how much all replicas may take, in percent: others want some of it, too.
const SHARE: u32 = 60;

/// So far our clock may be from the database's before tokens and facts are judged wrongly.
const APART_MS: i64 = 5_000;

/// The connections of a replica besides its pool: the one that listens.
const BESIDES: u32 = 1;

/// Looks at everything; stops where the rest could not be judged.
pub(super) async fn look(config: &Config, database: &Database, clock: &dyn Clock) -> Vec<Finding> {
    let mut findings = Vec::new();
    if database.pool().connect_options().get_port() == 6543 {
        findings.push(
            Finding::serious(
                "transaction_port",
                "DATABASE_URL names port 6543, which is Supabase's pooler in transaction mode",
                "Use port 5432: the direct connection, or the session pooler.",
            )
            .seen("port 6543"),
        );
        return findings;
    }
    match pooler::look(database, clock.wall()).await {
        Ok(finding) => findings.push(finding),
        Err(error) => findings.push(unreachable(&error)),
    }
    if findings.iter().any(Finding::is_serious) {
        return findings;
    }
    let mut connection = match database.pool().acquire().await {
        Ok(connection) => connection,
        Err(error) => {
            findings.push(unreachable(&error));
            return findings;
        }
    };
    findings.push(version(&mut connection).await.unwrap_or_else(|e| failed("its version", &e)));
    findings.push(budget(&mut connection, config).await.unwrap_or_else(|e| failed("the settings", &e)));
    findings.push(skew(&mut connection, clock).await.unwrap_or_else(|e| failed("the time", &e)));
    findings.push(login(&mut connection).await.unwrap_or_else(|e| failed("the login", &e)));
    drop(connection);
    findings.extend(roles(database).await);
    findings.extend(schema(database).await);
    findings
}

fn unreachable(error: &sqlx::Error) -> Finding {
    Finding::serious(
        "database_unreachable",
        "The database cannot be reached",
        "Check DATABASE_URL: host, port 5432, login, password, and sslmode=require outside of this machine.",
    )
    .seen(error)
}

fn failed(what: &str, error: &sqlx::Error) -> Finding {
    Finding::serious(
        "database_failed",
        format!("The database could not be asked for {what}"),
        "Look at the database's own log.",
    )
    .seen(error)
}

async fn version(connection: &mut PgConnection) -> sqlx::Result<Finding> {
    let (number, name) = checks::version(connection).await?;
    if number < OLDEST {
        let todo = "Use Postgres 15 or newer; 16 to 18 are tried most.";
        let what = "This Postgres is older than those that we know";
        return Ok(Finding::serious("postgres_old", what, todo).seen(name));
    }
    Ok(Finding::well("postgres", format!("Postgres {name} answers.")))
}

async fn budget(connection: &mut PgConnection, config: &Config) -> sqlx::Result<Finding> {
    let most = checks::max_connections(connection).await?;
    let wanted = config.database.replicas.saturating_mul(config.database.connections + BESIDES);
    let seen = format!(
        "{} replicas of {} connections and one to listen are {wanted}; the server allows {most}",
        config.database.replicas, config.database.connections
    );
    if u64::from(wanted) * 100 > u64::from(most) * u64::from(SHARE) {
        let what =
            format!("All replicas together may take more than {SHARE} % of the database's connections");
        let todo = "Lower database.connections or database.replicas, or choose a larger database.";
        return Ok(Finding::warning("connection_budget", what, todo).seen(seen));
    }
    Ok(Finding::well("connection_budget", "All replicas together leave connections for others.").seen(seen))
}

async fn skew(connection: &mut PgConnection, clock: &dyn Clock) -> sqlx::Result<Finding> {
    let before = clock.wall();
    let theirs = checks::now_ms(connection).await?;
    let after = clock.wall();
    // Whatever the way took is nobody's fault.
    let apart = if theirs < before.0 { before.0 - theirs } else { (theirs - after.0).max(0) };
    if apart > APART_MS {
        let what = "This machine's clock and the database's differ";
        let todo = "Let both follow network time: tokens may be refused, or taken for too long.";
        return Ok(Finding::warning("clock_skew", what, todo).seen(format!("{} s apart", apart / 1_000)));
    }
    Ok(Finding::well("clock", "This machine's clock and the database's agree."))
}

async fn login(connection: &mut PgConnection) -> sqlx::Result<Finding> {
    let Login { name, is_superuser, bypasses_policies, owns_tables } = checks::login(connection).await?;
    let too_mighty = [
        (is_superuser, "is a superuser"),
        (bypasses_policies, "bypasses row policies"),
        (owns_tables, "owns tables of ours, whose policies do not bind it"),
    ];
    let seen: Vec<_> = too_mighty.into_iter().filter_map(|(so, what)| so.then_some(what)).collect();
    if seen.is_empty() {
        return Ok(Finding::well("login", format!("The login {name} can do nothing by itself.")));
    }
    let todo = "Make a login of its own and use it in DATABASE_URL: create role roomtone_app login noinherit password '...' \
                in role roomtone_cloud. The mighty one belongs in DATABASE_OWNER_URL.";
    let what = "The login of DATABASE_URL could see every tenant's rows";
    Ok(Finding::serious("login_too_mighty", what, todo).seen(format!("{name} {}", seen.join(", "))))
}

/// The roles that a transaction takes.
async fn roles(database: &Database) -> Option<Finding> {
    let (user, hub, venue) = (UserId(Uuid::nil()), HubId(Uuid::nil()), VenueId(Uuid::nil()));
    // One after the other: the pool may be small.
    let tried = [
        ("authenticated", database.as_user(user).await.map(drop)),
        ("roomtone_hub", database.as_hub(hub, venue).await.map(drop)),
        ("roomtone_guest", database.as_guest(None).await.map(drop)),
        ("roomtone_cloud", database.as_service().await.map(drop)),
    ];
    let refused = tried.into_iter().filter_map(|(role, tried)| Some((role, tried.err()?)));
    let refused: Vec<_> = refused.map(|(role, error)| format!("{role}: {error}")).collect();
    if refused.is_empty() {
        return Some(Finding::well("roles", "The login may act for users, for hubs and for the cloud."));
    }
    let todo = "Run `roomtone-cloud migrate`, then: grant roomtone_cloud to the login of DATABASE_URL.";
    let finding =
        Finding::serious("roles_missing", "The login may not take the roles that it works in", todo);
    Some(refused.into_iter().fold(finding, Finding::seen))
}

async fn schema(database: &Database) -> Vec<Finding> {
    let mut findings = vec![vectors(database).await];
    findings.push(drift(database).await);
    findings.push(policies(database).await);
    findings
}

async fn vectors(database: &Database) -> Finding {
    let asked = async { checks::vector_version(&mut *database.pool().acquire().await?).await };
    match asked.await {
        Ok(Some(version)) => Finding::well("pgvector", format!("pgvector {version} is there.")),
        Ok(None) => Finding::serious(
            "pgvector_missing",
            "The extension vector is not there",
            "As a superuser: create extension vector with schema extensions. On Supabase: Database > Extensions.",
        ),
        Err(error) => failed("its extensions", &error),
    }
}

async fn drift(database: &Database) -> Finding {
    let asked = async { migrations::drift(&mut *database.as_service().await?).await };
    let drift = match asked.await {
        Ok(drift) => drift,
        Err(error) => {
            let what = "The migrations were never applied, or not as far as this program needs";
            return Finding::serious("schema_missing", what, "Run `roomtone-cloud migrate`.").seen(error);
        }
    };
    if !drift.missing.is_empty() {
        let what = "Migrations are missing";
        let finding = Finding::serious("schema_behind", what, "Run `roomtone-cloud migrate`.");
        return finding.seen(format!("not applied: {}", listed(&drift.missing)));
    }
    if !drift.unknown.is_empty() {
        let what = "The database is newer than this program";
        let todo = "Fine while an update is rolled out; else update this replica.";
        return Finding::warning("schema_ahead", what, todo)
            .seen(format!("applied and unknown here: {}", listed(&drift.unknown)));
    }
    Finding::well("schema", "The database is as this program wants it.")
}

fn listed(versions: &[i64]) -> String {
    versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

async fn policies(database: &Database) -> Finding {
    let asked = async { checks::tables_without_policies(&mut *database.pool().acquire().await?).await };
    match asked.await {
        Ok(open) if open.is_empty() => Finding::well("policies", "Every table has its row policies."),
        Ok(open) => Finding::serious(
            "policies_missing",
            "Tables stand open: without row level security every account sees every row",
            "alter table NAME enable row level security; then look who disabled it.",
        )
        .seen(open.join(", ")),
        Err(error) => failed("its tables", &error),
    }
}
