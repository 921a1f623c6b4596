//! A file from the hub, from some byte on, whatever the other side makes of the wish to begin there.

use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, RANGE};
use hyper::{Request, StatusCode};

use super::line::{Line, chain, unwanted};
use super::{ANSWER, LinkError};

/// How long a file may give nothing: on a bad link a lost packet costs a second or two.
const STALL: Duration = Duration::from_secs(10);

struct Download {
    line: Line,
    body: Incoming,
    /// Bytes that come although nobody wants them: the whole file where a part was asked for.
    skip: u64,
}

/// Asks for `path` from byte `from` on.
pub(super) async fn begin(
    mut line: Line,
    path: &str,
    from: u64,
    secret: &str,
) -> Result<impl Stream<Item = Result<Bytes, LinkError>> + Send + use<>, LinkError> {
    let address = line.address();
    let mut request = Request::get(path).header(AUTHORIZATION, format!("Bearer {secret}"));
    if 0 < from {
        request = request.header(RANGE, format!("bytes={from}-"));
    }
    let request = request
        .body(Full::default())
        .map_err(|error| LinkError::Odd(format!("no request can be made of {path}: {error}")))?;
    let asking = tokio::time::timeout(ANSWER, line.ask(request));
    let (head, body) = asking.await.map_err(|_late| LinkError::silence(address))??.into_parts();
    let skip = skip(head.status, &head.headers, from)?;
    Ok(futures_util::stream::try_unfold(Download { line, body, skip }, next))
}

/// How much of the body comes before what was asked for.
fn skip(status: StatusCode, headers: &HeaderMap, from: u64) -> Result<u64, LinkError> {
    let text = |name| headers.get(name).and_then(|value: &hyper::header::HeaderValue| value.to_str().ok());
    if text(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html")) {
        return Err(unwanted(status, headers));
    }
    match status {
        StatusCode::OK => Ok(from),
        StatusCode::PARTIAL_CONTENT => {
            let first = text(CONTENT_RANGE).and_then(first_byte);
            if first == Some(from) {
                return Ok(0);
            }
            Err(LinkError::Odd(format!("bytes from {first:?} on where those from {from} on were asked for")))
        }
        StatusCode::UNAUTHORIZED => Err(LinkError::Revoked),
        _ => Err(unwanted(status, headers)),
    }
}

/// The 3 of `bytes 3-9/10`.
fn first_byte(range: &str) -> Option<u64> {
    range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

async fn next(mut download: Download) -> Result<Option<(Bytes, Download)>, LinkError> {
    let address = download.line.address();
    loop {
        let frame = download.line.while_driving(download.body.frame());
        let frame = tokio::time::timeout(STALL, frame).await.map_err(|_late| LinkError::silence(address))?;
        let Some(frame) = frame else { return Ok(None) };
        let frame = frame.map_err(|error| LinkError::Unreachable(format!("{address}: {}", chain(&error))))?;
        let Ok(mut piece) = frame.into_data() else { continue };
        let unwanted = download.skip.min(piece.len() as u64);
        let piece = piece.split_off(unwanted as usize);
        download.skip -= unwanted;
        if !piece.is_empty() {
            return Ok(Some((piece, download)));
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::all_of_it(200, None, 0, Ok(0))]
    #[case::range_ignored(200, None, 7, Ok(7))]
    #[case::as_asked(206, Some("bytes 7-9/10"), 7, Ok(0))]
    #[case::another_part(206, Some("bytes 0-9/10"), 7, Err(()))]
    #[case::part_of_what(206, None, 7, Err(()))]
    #[case::nonsense(206, Some("bytes x-"), 7, Err(()))]
    #[case::beyond(416, Some("bytes */10"), 17, Err(()))]
    #[case::gone(404, None, 0, Err(()))]
    fn where_the_body_begins(
        #[case] status: u16,
        #[case] range: Option<&'static str>,
        #[case] from: u64,
        #[case] expected: Result<u64, ()>,
    ) {
        let mut headers = HeaderMap::new();
        if let Some(range) = range {
            headers.insert(CONTENT_RANGE, HeaderValue::from_static(range));
        }
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(skip(status, &headers, from).map_err(|_why| ()), expected);
    }
}
