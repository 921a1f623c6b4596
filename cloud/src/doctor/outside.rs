//! What is looked at beside the database: the issuer, the media store, the way between replicas.

use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::SystemClock;

use super::Finding;
use crate::auth::keys::Keys;
use crate::config::Config;
use crate::media::Media;

/// For how long the bus may take to answer.
const CONNECT: Duration = Duration::from_secs(5);

/// Looks at everything.
pub(super) async fn look(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.push(issuer(config).await);
    if !config.auth.jwt_secret.is_empty() {
        findings.push(Finding::warning(
            "shared_secret",
            "JWT_SECRET is set: whoever has it can be anybody here",
            "Move the project to signing keys (Project Settings > JWT Keys), then take it out.",
        ));
    }
    findings.push(media(config).await);
    findings.extend(bus(config).await);
    findings
}

async fn issuer(config: &Config) -> Finding {
    let url = config.auth.jwks_url();
    let keys = match Keys::new(url.clone(), Arc::new(SystemClock::new())) {
        Ok(keys) => keys,
        Err(error) => return issuer_silent().seen(format!("{error:#}")),
    };
    match keys.look().await {
        Ok(0) if config.auth.jwt_secret.is_empty() => Finding::serious(
            "issuer_without_keys",
            "The issuer publishes no keys: the project signs with HS256, which nobody can verify without its secret",
            "Move the project to signing keys (Project Settings > JWT Keys, ES256), or set JWT_SECRET meanwhile.",
        )
        .seen(url),
        Ok(count) => Finding::well("issuer", format!("The issuer publishes {count} keys.")).seen(url),
        Err(error) => issuer_silent().seen(format!("{error:#}")),
    }
}

fn issuer_silent() -> Finding {
    Finding::serious(
        "issuer_unreachable",
        "The issuer's keys cannot be had: no token can be verified",
        "Check SUPABASE_URL, and that this machine may reach it.",
    )
}

async fn media(config: &Config) -> Finding {
    let checked = match Media::open(&config.media.settings()) {
        Ok(media) => media.check().await,
        Err(error) => Err(error),
    };
    match checked {
        Ok(()) => Finding::well("media", format!("The bucket {} is there.", config.media.bucket)),
        Err(error) => Finding::serious(
            "media_unreachable",
            "The media store does not let us in: nothing can be uploaded or downloaded",
            "Check S3_ENDPOINT, S3_REGION, S3_BUCKET and the two keys; the bucket must be there.",
        )
        .seen(error),
    }
}

async fn bus(config: &Config) -> Option<Finding> {
    let url = &config.bus.nats_url;
    if url.is_empty() {
        return None;
    }
    let connecting = async_nats::ConnectOptions::new().connection_timeout(CONNECT).connect(url.reveal());
    Some(match tokio::time::timeout(CONNECT, connecting).await {
        Ok(Ok(_client)) => Finding::well("nats", "NATS answers.").seen(url.shown()),
        Ok(Err(error)) => nats_silent().seen(url.shown()).seen(error),
        Err(_late) => nats_silent().seen(url.shown()),
    })
}

fn nats_silent() -> Finding {
    Finding::warning(
        "nats_unreachable",
        "NATS does not answer: replicas notice each other's changes within half a minute, and not at once",
        "Check NATS_URL, or take it out: Postgres does it, too.",
    )
}
