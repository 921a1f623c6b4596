//! The door for commands to a hub that runs: a socket in its data folder that only its own user can open.
//!
//! An order is one JSON document, its replies are lines of JSON, so that an import can be watched. What is absent:
//! any way in from the network.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use futures_util::{Stream, StreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::hub::Hub;
use crate::orders::{self, Order, REPLIES_WAITING, Reply};
use crate::service::Place;
use crate::trouble::Trouble;

/// The socket's name in the data folder.
const SOCKET: &str = "control.sock";

/// The longest path that a socket address holds, with its end.
const LONGEST_SOCKET_PATH: usize = 107;

/// What the socket's orders are carried out on.
#[derive(Debug, Clone)]
struct Desk {
    hub: Hub,
    place: Place,
}

/// Takes orders until told to stop.
pub async fn serve(hub: Hub, place: Place, stop: CancellationToken) -> anyhow::Result<()> {
    let path = place.data.join(SOCKET);
    let listener = open(&path).with_context(|| format!("no commands can be taken at {}", path.display()))?;
    let router = axum::Router::new().route("/order", post(take)).with_state(Desk { hub, place });
    // An import that is being watched must not hold up a stop: its connection is dropped with this future.
    stop.run_until_cancelled(async { axum::serve(listener, router).await }).await.transpose()?;
    let _already_gone = std::fs::remove_file(&path);
    Ok(())
}

/// Opens the socket for its owner alone: the folder that it is bound in is closed to others where the hub made it, so
/// nobody comes in between the two steps. What a killed hub left behind is removed: the store's lock says that no other
/// hub is using this folder.
fn open(path: &Path) -> io::Result<UnixListener> {
    let _none_there = std::fs::remove_file(path);
    let (short, _folder) = short(path)?;
    let listener = UnixListener::bind(short)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn take(State(desk): State<Desk>, Json(order): Json<Order>) -> Response {
    let (replies, told) = mpsc::channel(REPLIES_WAITING);
    let work = async move {
        orders::carry_out(&desk.hub, &desk.place, order, replies).await;
        None
    };
    let lines = futures_util::stream::select(
        tokio_stream::wrappers::ReceiverStream::new(told).map(Some),
        futures_util::stream::once(work),
    );
    let lines = lines.filter_map(async |reply| reply.map(|reply| line(&reply)));
    Response::new(Body::from_stream(lines))
}

fn line(reply: &Reply) -> io::Result<Bytes> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    Ok(line.into())
}

/// A connection to the hub that runs on this data folder; `None` where none does.
pub async fn connect(data: &Path) -> io::Result<Option<UnixStream>> {
    let (short, _folder) = match short(&data.join(SOCKET)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found?,
    };
    match UnixStream::connect(short).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Sends an order; what comes back is passed on as it comes.
pub async fn send(stream: UnixStream, order: &Order, replies: mpsc::Sender<Reply>) -> anyhow::Result<()> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = hyper::Request::post("http://hub/order")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(serde_json::to_vec(order)?)))?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        anyhow::ensure!(response.status().is_success(), "the hub answered {}", response.status());
        pass_on(response.into_body().into_data_stream(), &replies).await
    };
    tokio::pin!(exchange, connection);
    tokio::select! {
        done = &mut exchange => done,
        ended = &mut connection => {
            // The last lines may still be on their way to us.
            ended?;
            exchange.await
        }
    }
}

async fn pass_on(
    mut body: impl Stream<Item = hyper::Result<Bytes>> + Unpin,
    replies: &mpsc::Sender<Reply>,
) -> anyhow::Result<()> {
    let mut buffer = Vec::new();
    while let Some(piece) = body.next().await {
        buffer.extend_from_slice(&piece?);
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            replies.send(serde_json::from_slice(&line)?).await?;
        }
    }
    Ok(())
}

/// The trouble of a command that could not talk to its hub.
pub fn unreachable(error: &dyn std::fmt::Display) -> Trouble {
    Trouble::harmless(
        format!("the running hub could not be asked: {error}"),
        "Run the command as the user that the hub runs as.",
    )
}

/// The same path in so few letters that a socket address holds it: through the open folder where it is too long.
fn short(path: &Path) -> io::Result<(PathBuf, Option<File>)> {
    if path.as_os_str().len() <= LONGEST_SOCKET_PATH {
        return Ok((path.to_owned(), None));
    }
    let folder = File::open(path.parent().unwrap_or(Path::new("/")))?;
    let through = format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd());
    Ok((PathBuf::from(through), Some(folder)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_is_its_owners_alone_and_may_lie_deep() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        let path = deep.join(SOCKET);
        assert!(connect(&deep).await.unwrap().is_none());

        let first = open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(connect(&deep).await.unwrap().is_some());
        drop(first);
        assert!(connect(&deep).await.unwrap().is_none(), "what a killed hub leaves behind is nobody");
        let _second = open(&path).unwrap();
        assert!(connect(&deep).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn replies_arrive_whole_however_they_are_cut_on_the_way() {
        let sent = [Reply::Found { files: 3 }, Reply::Imported { added: 1, known: 2, refused: 0 }];
        let bytes: Vec<u8> = sent.iter().flat_map(|reply| line(reply).unwrap()).collect();
        let pieces = bytes.chunks(5).map(|piece| Ok(Bytes::copy_from_slice(piece)));
        let (replies, mut told) = mpsc::channel(8);
        pass_on(futures_util::stream::iter(pieces), &replies).await.unwrap();
        assert_eq!([told.recv().await.unwrap(), told.recv().await.unwrap()], sent);
    }

    #[tokio::test]
    async fn names_that_are_no_text_survive_the_way() {
        use std::os::unix::ffi::OsStringExt as _;
        let order = Order::Import { roots: vec![std::ffi::OsString::from_vec(b"/music/\xff\xfe".to_vec())] };
        let read: Order = serde_json::from_slice(&serde_json::to_vec(&order).unwrap()).unwrap();
        assert_eq!(read, order);
    }
}
