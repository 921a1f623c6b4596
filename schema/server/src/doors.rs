//! The doors of a server that stands in a room full of strangers' browsers: which names it answers to, which pages may
//! talk to it, and what every answer says about itself.
//!
//! A page on the internet can make a visitor's browser send requests to a hub on their network. Two checks keep such a
//! page out: the `Host` it used must be one that cannot be pointed at us by somebody else's name server, and where the
//! browser names the page (`Origin`), it must be one of ours.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::{HOST, HeaderName, HeaderValue, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::TryFutureExt as _;
use futures_util::future::{Either, MapOk, Ready, ready};
use tower::{Layer, Service};

/// The names a server answers to besides IP addresses, `localhost` and `<name>.local`.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Host names without a port, in lower case.
    pub hosts: Vec<String>,
    /// Origins of other pages that may talk to us, such as `https://cafe.example`.
    pub origins: Vec<String>,
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Shut {
    /// Host is missing, or a name that is not ours.
    #[error("this server does not answer to that name; use its address or a name it was configured with")]
    Host,
    /// A page that is not ours sent this.
    #[error("this page may not talk to this server")]
    Origin,
}

impl IntoResponse for Shut {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin => StatusCode::FORBIDDEN,
        };
        (status, format!("{self}\n")).into_response()
    }
}

impl Names {
    /// Looks at `Host` and, where there is one, `Origin`.
    ///
    /// # Errors
    /// [`Shut`], where the request must not be answered.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Shut> {
        let host = sole(headers, &HOST).ok_or(Shut::Host)?;
        let authority: Authority = host.parse().map_err(|_not_a_host| Shut::Host)?;
        if !self.answers_to(authority.host()) {
            return Err(Shut::Host);
        }
        if !headers.contains_key(ORIGIN) {
            return Ok(());
        }
        let origin = sole(headers, &ORIGIN).ok_or(Shut::Origin)?;
        let ours = is_same(origin, host) || self.origins.iter().any(|known| known == origin);
        ours.then_some(()).ok_or(Shut::Origin)
    }

    /// An address cannot be rebound to another machine, and nobody on the internet can own a `.local` name.
    fn answers_to(&self, host: &str) -> bool {
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>().is_ok()
            || name == "localhost"
            || name.strip_suffix(".local").is_some_and(|label| !label.is_empty())
            || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(&name))
    }
}

/// Whether a page came from the very host that it talks to.
fn is_same(origin: &str, host: &str) -> bool {
    let page = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    page.is_some_and(|page| page.eq_ignore_ascii_case(host))
}

/// Whether a request came from this machine and was meant for it: both ends are loopback, by address and by name. What
/// another program on this machine forwards under its public name is not local.
pub fn is_local(headers: &HeaderMap, peer: Option<IpAddr>) -> bool {
    let authority = sole(headers, &HOST).and_then(|host| host.parse::<Authority>().ok());
    let named = authority.is_some_and(|authority| is_loopback(authority.host()));
    named && peer.is_some_and(|peer| peer.to_canonical().is_loopback())
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

fn sole<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then(|| first.to_str().ok()).flatten()
}

/// Middleware: lets in what [`Names::check`] lets in, and labels every answer. A service of its own, without a box and
/// a copy of everything behind it for each request.
#[derive(Debug, Clone)]
pub struct Doors(pub Arc<Names>);

/// What stands behind the doors.
#[derive(Debug, Clone)]
pub struct Behind<S> {
    names: Arc<Names>,
    service: S,
}

impl<S> Layer<S> for Doors {
    type Service = Behind<S>;

    fn layer(&self, service: S) -> Behind<S> {
        Behind { names: Arc::clone(&self.0), service }
    }
}

impl<S: Service<Request, Response = Response>> Service<Request> for Behind<S> {
    type Response = Response;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response, S::Error>>, MapOk<S::Future, fn(Response) -> Response>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self.names.check(request.headers()) {
            Ok(()) => Either::Right(self.service.call(request).map_ok(label)),
            Err(shut) => Either::Left(ready(Ok(label(shut.into_response())))),
        }
    }
}

/// What every answer says: take our word for its type, tell nobody where you were, show us in no frame.
const SAFETY: [(HeaderName, HeaderValue); 4] = [
    (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff")),
    (HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Adds the headers that every answer carries.
fn label(mut response: Response) -> Response {
    for (name, value) in SAFETY {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn names() -> Names {
        Names {
            hosts: vec!["music.cafe.example".to_owned()],
            origins: vec!["https://cafe.example".to_owned()],
        }
    }

    fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    #[rstest]
    #[case("192.168.1.20:4700")]
    #[case("[fe80::1]:4700")]
    #[case("localhost:4700")]
    #[case("cafe.local")]
    #[case("CAFE.LOCAL.:4700")]
    #[case("music.cafe.example")]
    fn the_hub_answers_to_its_own_names(#[case] host: &str) {
        assert_eq!(names().check(&headers(host, None)), Ok(()));
    }

    #[rstest]
    #[case("attacker.example")]
    #[case("192.168.1.20.attacker.example")]
    #[case(".local")]
    #[case("local")]
    #[case("cafe.local.attacker.example:4700")]
    #[case("")]
    fn a_name_that_somebody_else_could_own_is_misdirected(#[case] host: &str) {
        assert_eq!(names().check(&headers(host, None)), Err(Shut::Host));
    }

    #[rstest]
    #[case::by_address("127.0.0.1:4700", "127.0.0.1", true)]
    #[case::by_name("localhost:4700", "::1", true)]
    #[case::mapped("[::1]:4700", "::ffff:127.0.0.1", true)]
    #[case::from_the_lan("127.0.0.1:4700", "192.168.1.9", false)]
    #[case::forwarded_under_a_public_name("music.cafe.example", "127.0.0.1", false)]
    #[case::a_name_that_only_looks_so("localhost.cafe.example", "127.0.0.1", false)]
    fn local_is_what_is_loopback_at_both_ends(
        #[case] host: &str,
        #[case] peer: &str,
        #[case] expected: bool,
    ) {
        assert_eq!(is_local(&headers(host, None), peer.parse().ok()), expected);
    }

    #[test]
    fn whoever_is_nowhere_is_not_local() {
        assert!(!is_local(&headers("localhost", None), None));
        assert!(!is_local(&HeaderMap::new(), Some(IpAddr::from([127, 0, 0, 1]))));
    }

    #[rstest]
    #[case("http://192.168.1.20:4700", Ok(()))]
    #[case("https://cafe.example", Ok(()))]
    #[case("http://192.168.1.20", Err(Shut::Origin))]
    #[case("http://192.168.1.99:4700", Err(Shut::Origin))]
    #[case("https://attacker.example", Err(Shut::Origin))]
    #[case("null", Err(Shut::Origin))]
    fn only_our_own_pages_may_talk_to_us(#[case] origin: &str, #[case] expected: Result<(), Shut>) {
        assert_eq!(names().check(&headers("192.168.1.20:4700", Some(origin))), expected);
    }
}
