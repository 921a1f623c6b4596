//! The files of pages over HTTP: gzip'd for those who take it, told apart by their tags, behind a policy that lets a page
//! talk to nobody but whom it is meant to.

use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HOST,
    HeaderMap, HeaderValue, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::ui::{Asset, Sent};

/// What a page may do besides loading its own files and asking its own server.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policy<'a> {
    /// Whether its scripts may write styles: Monaco, which `GraphiQL` is made of, cannot do without.
    pub writes_styles: bool,
    /// Origins elsewhere that it sends to and fetches from, with a blank between them.
    pub friends: &'a str,
}

/// A document that nothing between here and there may keep.
pub fn document(headers: &HeaderMap, status: StatusCode, asset: &Asset, policy: Policy<'_>) -> Response {
    let kept = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (status, kept, sealed(headers, policy), whole(asset, asset.sent(takes_gzip(headers)))).into_response()
}

/// A file, or 304 where the browser has it.
pub fn file(asset: &Asset, headers: &HeaderMap, policy: Policy<'_>) -> Response {
    let sent = asset.sent(takes_gzip(headers));
    let known = headers.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let is_known = known.is_some_and(|tags| tags.split(',').any(|known| known.trim() == sent.etag));
    let tag = [(ETAG, sent.etag.clone()), (CACHE_CONTROL, "no-cache".to_owned())];
    if is_known {
        return (StatusCode::NOT_MODIFIED, tag, [(VARY, "accept-encoding")]).into_response();
    }
    (tag, sealed(headers, policy), whole(asset, sent)).into_response()
}

fn whole(asset: &Asset, sent: Sent) -> Response {
    let kind = [(CONTENT_TYPE, asset.content_type), (VARY, "accept-encoding")];
    let mut response = (kind, sent.bytes).into_response();
    if sent.is_packed {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Whether a reader takes gzip: it is named, and not with a weight of nothing.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let named = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q=")).and_then(|q| q.parse::<f32>().ok());
        is_gzip && weight.is_none_or(|weight| 0.0 < weight)
    })
}

/// The pages load nothing from anywhere else, and talk to nobody else but `friends`. Older Safaris do not count a
/// WebSocket as `'self'`, so it is named; a Host that fits no header has not come this far.
fn sealed(headers: &HeaderMap, policy: Policy<'_>) -> [(HeaderName, HeaderValue); 1] {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let written = if policy.writes_styles { " 'unsafe-inline'; worker-src 'self'" } else { "" };
    let friends = if policy.friends.is_empty() { String::new() } else { format!(" {}", policy.friends) };
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'{written}; img-src 'self' data: blob:; \
         media-src 'self' blob:{friends}; font-src 'self'; manifest-src 'self'; \
         connect-src 'self' ws://{host} wss://{host}{friends}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let strictest = HeaderValue::from_static("default-src 'none'");
    [(CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).unwrap_or(strictest))]
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("gzip, deflate, br", true)]
    #[case("br;q=1.0, GZIP;q=0.5", true)]
    #[case("gzip;q=0", false)]
    #[case("identity", false)]
    #[case("", false)]
    fn gzip_is_sent_to_those_who_take_it(#[case] value: &str, #[case] expected: bool) {
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, value.parse().unwrap())]);
        assert_eq!(takes_gzip(&headers), expected);
    }

    #[test]
    fn a_page_talks_to_its_friends_and_to_nobody_else() {
        let headers = HeaderMap::from_iter([(HOST, "cloud.test".parse().unwrap())]);
        let [(_, alone)] = sealed(&headers, Policy::default());
        assert!(
            alone.to_str().unwrap().contains("connect-src 'self' ws://cloud.test wss://cloud.test; base-uri")
        );
        let friends = Policy { friends: "https://store.test", ..Policy::default() };
        let [(_, with)] = sealed(&headers, friends);
        let with = with.to_str().unwrap();
        assert!(
            with.contains("wss://cloud.test https://store.test;")
                && with.contains("blob: https://store.test;")
        );
        assert!(!with.contains("unsafe"));
    }
}
