//! Files by signed addresses: fetched from where they stopped, put from the disk as they are read.

use std::time::Duration;

use hyper::header::{HOST, HeaderName, RANGE};
use hyper::{Method, Request, StatusCode};
use tokio::fs::File;
use tokio::time::timeout;

use super::body::{FileBody, Question};
use super::{ANSWER, Address, Client, Connect, MOST_PROBLEM, NoAnswer, bare, problem_of};

/// A file that is put has this long, and a second for each 10 kB.
const PUT: Duration = Duration::from_mins(1);

/// What an answer to a fetch begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// What comes is the file from its beginning, although a later part was asked for.
    FromTheStart,
    /// The next bytes.
    Bytes(&'a [u8]),
}

impl<C: Connect> Client<C> {
    /// Fetches what lies behind `address` from byte `from` on, and hands it over as it comes. What was handed over stays
    /// good where the line breaks.
    ///
    /// # Errors
    /// [`NoAnswer`], also with what `take` says where it fails.
    pub async fn download(
        &self,
        address: &str,
        from: u64,
        mut take: impl FnMut(Piece<'_>) -> Result<(), String> + Send,
    ) -> Result<(), NoAnswer> {
        let (address, path) = Address::split(address).map_err(NoAnswer::malformed)?;
        let mut request = bare(&address, &path)?;
        if 0 < from {
            let range = format!("bytes={from}-").parse().map_err(NoAnswer::malformed)?;
            request.headers_mut().insert(RANGE, range);
        }
        let mut line = self.fresh(&address).await?;
        let begun = self.within(ANSWER, async { line.begin(request).await.map_err(NoAnswer::line) }).await?;
        let (parts, mut body) = begun.into_parts();
        match parts.status {
            StatusCode::PARTIAL_CONTENT => {}
            StatusCode::OK => take(Piece::FromTheStart).map_err(NoAnswer::Line)?,
            status => {
                let body = line.rest(body, MOST_PROBLEM).await.map_err(NoAnswer::line)?;
                return Err(NoAnswer::Refused(problem_of(status, &parts.headers, &body)));
            }
        }
        loop {
            let piece = timeout(ANSWER, line.piece(&mut body)).await.map_err(NoAnswer::line)?;
            let Some(piece) = piece.map_err(NoAnswer::line)? else { return Ok(()) };
            take(Piece::Bytes(&piece)).map_err(NoAnswer::Line)?;
        }
    }

    /// Puts the `bytes` bytes of a file at a signed address, with the headers that were signed with it. No more of the file
    /// than a piece is held at any time.
    ///
    /// # Errors
    /// [`NoAnswer`], also where the file ends before `bytes`.
    pub async fn put(
        &self,
        address: &str,
        headers: &[(String, String)],
        file: File,
        bytes: u64,
    ) -> Result<(), NoAnswer> {
        let (address, path) = Address::split(address).map_err(NoAnswer::malformed)?;
        let patience = PUT + Duration::from_secs(bytes / 10_000);
        let mut request =
            Request::builder().method(Method::PUT).uri(path).header(HOST, address.host_header());
        for (name, value) in headers {
            let name: HeaderName = name.parse().map_err(NoAnswer::malformed)?;
            if name != HOST {
                request = request.header(name, value);
            }
        }
        let request = request.body(Question::new(FileBody::new(file, bytes))).map_err(NoAnswer::malformed)?;
        let mut line = self.fresh(&address).await?;
        let putting = async { line.put(request, MOST_PROBLEM).await.map_err(NoAnswer::line) };
        let answer = self.within(patience, putting).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(NoAnswer::Refused(problem_of(answer.status, &answer.headers, &answer.body)))
    }
}
