//! A value that is used and never shown.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// A secret: it reaches neither a log nor `--print-config`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps `secret`.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for whoever it is shown to in the end.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What may be shown: of an address its parts without the password, of anything else that it is there.
    pub fn shown(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let Some((scheme, rest)) = self.0.split_once("://") else { return "***".to_owned() };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let query = if query.is_empty() { "" } else { "?***" };
        match rest.rsplit_once('@') {
            Some((who, place)) => {
                let user = who.split_once(':').map_or(who, |(user, _)| user);
                // Without a colon it may be a token as well as a name.
                let user = if who.contains(':') { user } else { "" };
                format!("{scheme}://{user}:***@{place}{query}")
            }
            None => format!("{scheme}://{rest}{query}"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "(none)" } else { "***" })
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.shown())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::none("", "")]
    #[case::plain("canary", "***")]
    #[case::address(
        "postgres://app:canary@db.example:5432/postgres",
        "postgres://app:***@db.example:5432/postgres"
    )]
    #[case::odd_password("postgres://app:a@canary@db/x", "postgres://app:***@db/x")]
    #[case::query("postgres://db/x?password=canary", "postgres://db/x?***")]
    #[case::token("nats://canary@bus:4222", "nats://:***@bus:4222")]
    fn what_is_shown_opens_nothing(#[case] secret: &str, #[case] shown: &str) {
        let secret = Secret::new(secret);
        assert_eq!(secret.shown(), shown);
        assert!(!format!("{secret:?} {}", serde_json::to_string(&secret).unwrap()).contains("canary"));
    }
}
