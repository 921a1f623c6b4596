//! The three servers in Rust: ours, async-graphql's own, and one that knows no GraphQL.

use std::sync::Arc;

use async_graphql::{EmptyMutation, Schema};
use async_graphql_axum::GraphQLSubscription;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use axum::serve::ListenerExt as _;
use roomtone_server::caller::{Caller, Gate};
use roomtone_server::front::{Front, FrontSettings};
use roomtone_server::lease::Lease;
use roomtone_server::serve::{Entrance, ServeSettings, serve as converse};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::schema::{BenchSchema, Changes, Moment, QUERY, Query, show};

/// As many as will come.
const SOCKETS: usize = 50_000;

/// Serves until there is nobody left to give it a word.
pub(crate) fn serve(server: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("READY {}", listener.local_addr().unwrap().port());
        let (now, seen) = watch::channel(Moment::now());
        match server {
            "ours" => {
                let settings = ServeSettings { connections: SOCKETS, ..ServeSettings::default() };
                let stop = CancellationToken::new();
                tokio::spawn(converse(Entrance::plain(listener), ours(schema(seen)), settings, stop));
                show(now, Moment::now).await;
            }
            "stock" => {
                let stock = Router::new().route_service("/graphql", GraphQLSubscription::new(schema(seen)));
                tokio::spawn(axum::serve(without_delay(listener), stock).into_future());
                show(now, Moment::now).await;
            }
            "floor" => {
                let (now, seen) = watch::channel(frame(&schema(seen)).await);
                let floor = Router::new().route("/graphql", any(floor)).with_state(seen);
                tokio::spawn(axum::serve(without_delay(listener), floor).into_future());
                // The time is a number of as many digits, so the frame stays as long as it was.
                let template = now.borrow().clone();
                show(now, move || stamped(&template)).await;
            }
            other => panic!("there is no server {other}"),
        }
    });
}

fn schema(seen: watch::Receiver<Arc<Moment>>) -> BenchSchema {
    Schema::build(Query, EmptyMutation, Changes).data(seen).finish()
}

#[derive(Debug, Clone)]
struct Open;

impl Gate for Open {
    async fn admit(&self, _token: Option<&str>) -> Caller {
        Caller::Anonymous
    }

    fn lease(&self, _token: Option<&str>) -> Lease {
        Lease::endless()
    }
}

fn ours(schema: BenchSchema) -> Router {
    let sdl = schema.sdl();
    let settings = FrontSettings { sockets: SOCKETS, ..FrontSettings::default() };
    let front = Front::new(schema, Open, settings, CancellationToken::new());
    front.sharing(&sdl).unwrap().router("/graphql")
}

fn without_delay(listener: TcpListener) -> impl axum::serve::Listener<Addr = std::net::SocketAddr> {
    listener.tap_io(|stream| stream.set_nodelay(true).unwrap())
}

/// A frame as the others send it, written once.
async fn frame(schema: &BenchSchema) -> Utf8Bytes {
    use futures_util::StreamExt as _;
    let answer = schema.execute_stream(QUERY).next().await.unwrap();
    let payload = serde_json::to_string(&answer).unwrap();
    format!(r#"{{"id":"1","type":"next","payload":{payload}}}"#).into()
}

fn stamped(template: &str) -> Utf8Bytes {
    let from = template.find(r#""at":"#).unwrap() + r#""at":"#.len();
    let to = from + template[from..].find(',').unwrap();
    format!("{}{}.0{}", &template[..from], crate::schema::micros(), &template[to..]).into()
}

async fn floor(State(seen): State<watch::Receiver<Utf8Bytes>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .protocols(["graphql-transport-ws"])
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .on_upgrade(|socket| watch_and_send(socket, seen))
}

/// Whatever comes is answered with what the clients wait for; then every change is sent.
async fn watch_and_send(mut socket: WebSocket, mut seen: watch::Receiver<Utf8Bytes>) {
    loop {
        tokio::select! {
            received = socket.recv() => match received {
                Some(Ok(Message::Text(text))) if text.contains("connection_init") => {
                    if socket.send(Message::text(r#"{"type":"connection_ack"}"#)).await.is_err() {
                        return;
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
            changed = seen.changed() => {
                let frame = seen.borrow_and_update().clone();
                if changed.is_err() || socket.send(Message::Text(frame)).await.is_err() {
                    return;
                }
            }
        }
    }
}
