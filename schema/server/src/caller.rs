//! Who sends a request, as far as its transport can tell.

use std::future::Future;
use std::net::IpAddr;

use roomtone_schema::PlayerId;
use roomtone_schema::view::Viewer;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Showed nothing.
    Anonymous,
    /// Showed a token that was good once: the room may be looked at, nothing may be changed.
    Expired,
    /// Showed a token that nobody here gave out; may look, too.
    Unknown,
    /// A listener who is checked in.
    Listener(Viewer),
    /// A box with a loudspeaker.
    Player(PlayerId),
    /// Whoever runs the venue.
    Manager,
}

/// Where a request comes from, for what check-in needs to know.
#[derive(Debug, Clone, Default)]
pub struct Visit {
    /// The device's cookie.
    pub device_cookie: Option<String>,
    /// The other end of the connection.
    pub address: Option<IpAddr>,
}

/// The name of the cookie by which a hub knows a phone again.
pub const DEVICE_COOKIE: &str = "roomtone_device";

/// Who may come in: the one thing that the transports ask of the server behind them.
pub trait Gate: Clone + Send + Sync + 'static {
    /// Who holds this token. Asking is a sign of life, so a socket asks again while its other end answers.
    fn admit(&self, token: Option<&str>) -> impl Future<Output = Caller> + Send;
}

/// The token of an `Authorization: Bearer <token>` value.
pub fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim())
}

/// The value of one cookie of a `Cookie` header.
pub fn cookie<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|pair| pair.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_read_whatever_the_case_of_its_scheme() {
        assert_eq!(bearer("bearer abc"), Some("abc"));
        assert_eq!(bearer("Bearer  abc "), Some("abc"));
    }

    #[test]
    fn what_is_no_bearer_token_is_none() {
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("Bearer "), None);
        assert_eq!(bearer("abc"), None);
    }

    #[test]
    fn a_cookie_is_found_between_others() {
        assert_eq!(cookie("a=1; roomtone_device=xyz; b=2", DEVICE_COOKIE), Some("xyz"));
        assert_eq!(cookie("a=1", DEVICE_COOKIE), None);
    }
}
