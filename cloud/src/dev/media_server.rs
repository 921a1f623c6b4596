//! A media store in a folder, for people who have none: an S3 that checks signatures, and lets pages of named origins
//! in, as a bucket with CORS does.
//!
//! Meant for one machine: it has no TLS, and a bucket is a folder.

use std::convert::Infallible;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Polled, Poll};

use anyhow::Context as _;
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    CONTENT_DISPOSITION, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::Body;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Serves the folder until `stop`. Buckets are its folders; see [`crate::media::Media::make_bucket`].
///
/// # Errors
/// Where the folder or the listener cannot be used.
pub async fn serve(
    listener: std::net::TcpListener,
    folder: PathBuf,
    credentials: (String, String),
    cors_origins: Vec<String>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    std::fs::create_dir_all(&folder)?;
    let files = FileSystem::new(&folder)
        .map_err(|error| anyhow::anyhow!("{error:?}"))
        .with_context(|| format!("{} cannot be the media folder", folder.display()))?;
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(credentials.0, credentials.1));
    let store = Arc::new(Store { service: builder.build(), origins: cors_origins });
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => {
                if let Ok((socket, _)) = accepted {
                    connections.spawn(speak(socket, Arc::clone(&store)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
    connections.shutdown().await;
    Ok(())
}

struct Store {
    service: S3Service,
    origins: Vec<String>,
}

async fn speak(socket: TcpStream, store: Arc<Store>) {
    let answer = service_fn(move |request| {
        let store = Arc::clone(&store);
        async move { Ok::<_, Infallible>(store.answer(request).await) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    if let Err(error) = http.timer(TokioTimer::new()).serve_connection(TokioIo::new(socket), answer).await {
        tracing::debug!(%error, "a connection to the media store broke off");
    }
}

impl Store {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let origin = request.headers().get(ORIGIN).filter(|origin| self.lets_in(origin)).cloned();
        if request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        {
            return origin.map_or_else(|| empty(StatusCode::FORBIDDEN), preflight);
        }
        let disposition =
            (request.method() == Method::GET).then(|| asked_disposition(request.uri().query())).flatten();
        let gone = Arc::new(Notify::new());
        let watched = |body| Body::http_body(Watched { body, gone: Arc::clone(&gone) });
        let answered = tokio::select! {
            answered = self.service.call(request.map(watched)) => answered,
            () = gone.notified() => return empty(StatusCode::BAD_REQUEST),
        };
        let mut response = answered.unwrap_or_else(|error| {
            tracing::warn!(?error, "the media store failed");
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        });
        if let Some(disposition) = disposition.filter(|_| response.status().is_success()) {
            // The folder does not do this by itself; whoever signed the address asked for it.
            response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
        }
        allow(response.headers_mut(), origin);
        response
    }

    fn lets_in(&self, origin: &HeaderValue) -> bool {
        self.origins.iter().any(|known| known == "*" || known.as_bytes() == origin.as_bytes())
    }
}

/// A body whose sender may vanish, which is `gone` then. The store is told nothing of it and dropped: it would take that for
/// a failure of its own.
struct Watched {
    body: Incoming,
    gone: Arc<Notify>,
}

impl hyper::body::Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Polled<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(Some(Err(_)))) {
            self.gone.notify_one();
            return Poll::Pending;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn allow(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    headers.insert(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("etag"));
    }
}

fn preflight(origin: HeaderValue) -> Response<Body> {
    let mut response = empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    allow(headers, Some(origin));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, PUT"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type, range"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

fn asked_disposition(query: Option<&str>) -> Option<HeaderValue> {
    let address = reqwest::Url::parse(&format!("http://store/?{}", query?)).ok()?;
    let mut pairs = address.query_pairs();
    let asked = pairs.find(|(name, _)| name == "response-content-disposition")?;
    HeaderValue::from_str(&asked.1).ok()
}
