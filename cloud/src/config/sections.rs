//! What the sections come to: settings of the parts, and what would make no sense.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use roomtone_server::front::FrontSettings;
use roomtone_server::serve::ServeSettings;

use super::{AuthSection, Config, ConfigError, DatabaseSection, MediaSection, ServerSection};
use crate::database::DatabaseSettings;

/// Connections that stay open for whoever shows no token: an admin's page asks to sign in, and needs none.
const SOCKETS_FOR_GUESTS: usize = 100;

/// Characters of a shared secret for tokens.
const LEAST_SECRET: usize = 32;

impl Config {
    /// Refuses what would let the cloud be filled up, or nobody in.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let (server, database, guests) = (&self.server, &self.database, &self.guests);
        let numbers = [
            ("server.connections", server.connections, 10, 1_000_000),
            ("server.sockets", server.sockets, 1, 1_000_000),
            ("server.sockets_per_user", server.sockets_per_user, 1, 100_000),
            ("server.check_s", server.check_s, 1, 3_600),
            ("server.answer_s", server.answer_s, 1, 300),
            ("database.connections", database.connections, 2, 1_000),
            ("database.replicas", database.replicas, 1, 10_000),
            ("database.statement_s", database.statement_s, 1, 300),
            ("database.wait_s", database.wait_s, 1, 60),
            ("hubs.news_every_s", self.hubs.news_every_s, 0, 30),
            ("guests.votes_per_minute", guests.votes_per_minute, 1, 1_000),
            ("guests.new_devices_burst", guests.new_devices_burst, 1, 10_000),
            ("guests.new_device_every_s", guests.new_device_every_s, 0, 3_600),
            ("guests.code_guesses_burst", guests.code_guesses_burst, 1, 1_000),
            ("guests.code_guess_every_s", guests.code_guess_every_s, 1, 3_600),
            ("guests.device_check_ins_burst", guests.device_check_ins_burst, 1, 10_000),
            ("guests.device_check_in_every_s", guests.device_check_in_every_s, 0, 3_600),
            ("guests.sessions_per_device", guests.sessions_per_device, 1, 100),
            ("guests.sessions", guests.sessions, 1, 100_000),
            ("guests.session_hours", guests.session_hours, 1, 48),
            ("guests.idle_minutes", guests.idle_minutes, 1, 2_880),
            ("guests.sign_every_s", guests.sign_every_s, 10, 3_600),
            ("guests.sockets", guests.sockets, 1, 100_000),
            ("guests.sockets_per_device", guests.sockets_per_device, 1, 1_000),
            ("guests.venues", guests.venues, 1, 100_000),
        ];
        for (key, value, least, most) in numbers {
            if !(least..=most).contains(&value) {
                let allowed = format!("between {least} and {most}");
                return Err(ConfigError::OutOfRange {
                    key: key.to_owned(),
                    value: value.to_string(),
                    allowed,
                });
            }
        }
        let addresses = [
            ("auth.supabase_url", &self.auth.supabase_url),
            ("auth.issuer", &self.auth.issuer),
            ("auth.jwks_url", &self.auth.jwks_url),
            ("media.endpoint", &self.media.endpoint),
            ("media.public_endpoint", &self.media.public_endpoint),
        ];
        let origins = self.server.origins.0.iter().map(|origin| ("server.origins", origin));
        for (key, value) in addresses.into_iter().chain(origins) {
            if !value.is_empty() && !value.starts_with("https://") && !value.starts_with("http://") {
                let allowed = "an address that begins with https:// (or http://)".to_owned();
                return Err(ConfigError::OutOfRange {
                    key: key.to_owned(),
                    value: format!("{value:?}"),
                    allowed,
                });
            }
        }
        if self.auth.publishes_a_secret() {
            return Err(ConfigError::OutOfRange {
                key: "auth.publishable_key (SUPABASE_PUBLISHABLE_KEY)".to_owned(),
                value: "a secret key".to_owned(),
                allowed: "the publishable one, or the one called anon: every page shows it".to_owned(),
            });
        }
        Ok(())
    }

    /// Refuses to serve without what a cloud cannot be without.
    ///
    /// # Errors
    /// The first setting that is missing, with the variable that sets it.
    pub fn is_complete(&self) -> Result<(), ConfigError> {
        let missing = |key| Err(ConfigError::Missing { key });
        if self.database.url.is_empty() {
            return missing("database.url (DATABASE_URL)");
        }
        if self.auth.issuer().is_empty() {
            return missing("auth.supabase_url (SUPABASE_URL)");
        }
        // Whoever guesses it can be anybody; HS256 wants a secret as long as its hash (RFC 7518, 3.2).
        let secret = self.auth.jwt_secret.reveal().len();
        if (1..LEAST_SECRET).contains(&secret) {
            return Err(ConfigError::OutOfRange {
                key: "auth.jwt_secret (JWT_SECRET)".to_owned(),
                value: format!("{secret} characters long"),
                allowed: format!("at least {LEAST_SECRET} characters"),
            });
        }
        if self.media.access_key.is_empty() {
            return missing("media.access_key (S3_ACCESS_KEY)");
        }
        if self.media.secret_key.is_empty() {
            return missing("media.secret_key (S3_SECRET_KEY)");
        }
        Ok(())
    }
}

impl ServerSection {
    /// What the GraphQL front allows.
    pub fn front(&self) -> FrontSettings {
        FrontSettings {
            sockets: self.sockets as usize,
            sockets_per_device: self.sockets_per_user as usize,
            sockets_for_guests: Some(SOCKETS_FOR_GUESTS),
            check_every: Duration::from_secs(self.check_s.into()),
            answer_time: Duration::from_secs(self.answer_s.into()),
            ..FrontSettings::default()
        }
    }

    /// How connections are held.
    pub fn serving(&self) -> ServeSettings {
        ServeSettings { connections: self.connections as usize, ..ServeSettings::default() }
    }
}

impl DatabaseSection {
    /// How the database is used.
    pub fn settings(&self) -> DatabaseSettings {
        DatabaseSettings {
            connections: self.connections,
            acquire_time: Duration::from_secs(self.wait_s.into()),
            statement_time: Duration::from_secs(self.statement_s.into()),
        }
    }

    /// The login for what only the tables' owner may do.
    pub fn owner(&self) -> &str {
        if self.owner_url.is_empty() { self.url.reveal() } else { self.owner_url.reveal() }
    }
}

impl AuthSection {
    /// Who signs the tokens; empty where nobody was named.
    pub fn issuer(&self) -> String {
        let project = self.supabase_url.trim_end_matches('/');
        match (self.issuer.is_empty(), project.is_empty()) {
            (false, _) => self.issuer.clone(),
            (true, false) => format!("{project}/auth/v1"),
            (true, true) => String::new(),
        }
    }

    /// Whether the key that every page shows opens the whole project: a secret key, or the old `service_role` token.
    fn publishes_a_secret(&self) -> bool {
        let key = &self.publishable_key;
        let claims = key.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let of = claims.and_then(|claims| serde_json::from_slice::<serde_json::Value>(&claims).ok());
        key.starts_with("sb_secret_") || of.is_some_and(|claims| claims["role"] != "anon")
    }

    /// Where the keys are published.
    pub fn jwks_url(&self) -> String {
        if !self.jwks_url.is_empty() {
            return self.jwks_url.clone();
        }
        format!("{}/.well-known/jwks.json", self.issuer().trim_end_matches('/'))
    }
}

impl MediaSection {
    /// The origins that browsers send files to and fetch them from.
    pub fn origins(&self) -> Vec<String> {
        let named = [&self.public_endpoint, &self.endpoint].into_iter().find(|address| !address.is_empty());
        let Some(named) = named else {
            let (bucket, region) = (&self.bucket, &self.region);
            return vec![
                format!("https://{bucket}.s3.{region}.amazonaws.com"),
                format!("https://s3.{region}.amazonaws.com"),
            ];
        };
        let origin = reqwest::Url::parse(named).map(|url| url.origin().ascii_serialization());
        origin.into_iter().collect()
    }

    /// As the store wants it.
    pub fn settings(&self) -> crate::media::MediaSettings {
        let optional = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        crate::media::MediaSettings {
            endpoint: optional(&self.endpoint),
            region: self.region.clone(),
            bucket: self.bucket.clone(),
            access_key: self.access_key.reveal().to_owned(),
            secret_key: self.secret_key.clone(),
            public_endpoint: optional(&self.public_endpoint),
        }
    }
}
