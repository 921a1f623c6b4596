//! The wire under a conversation: frames in and out, and an end that the other side gets to know.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::message::{self, ClientMessage, Fault};
use crate::front::FrontSettings;

/// Buffers of one socket. The library's default of 128 KiB is cleared on every read and is most of what a socket costs.
const READ_BUFFER: usize = 4 * 1024;
/// For how long the other side may take to say goodbye, too.
pub(super) const CLOSING: Duration = Duration::from_secs(2);

/// How a conversation ends.
#[derive(Debug)]
pub(super) enum End {
    /// By us, who say why.
    Close(Fault),
    /// By the other side, in good order.
    Left,
    /// The other side is gone, or reads nothing any more.
    Gone,
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        Self::Close(fault)
    }
}

/// A WebSocket.
#[derive(Debug)]
pub(super) struct Line {
    frames: WebSocketStream<TcpStream>,
    write_time: Duration,
}

impl Line {
    /// Speaks over `stream`, of which `read` has been read already.
    pub(super) async fn open(stream: TcpStream, read: &[u8], settings: &FrontSettings) -> Self {
        // Every message is flushed before the next is written, so at most one waits for a slow reader.
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(settings.body_bytes))
            .max_frame_size(Some(settings.body_bytes));
        let frames =
            WebSocketStream::from_partially_read(stream, read.to_vec(), Role::Server, Some(config)).await;
        Self { frames, write_time: settings.write_time }
    }

    /// The next message of the protocol; `None` for the frames that keep a connection alive, which are answered.
    pub(super) async fn hear(&mut self) -> Result<Option<ClientMessage>, End> {
        match self.frames.next().await {
            Some(Ok(Message::Text(text))) => Ok(Some(ClientMessage::parse(&text)?)),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
            Some(Ok(Message::Binary(_) | Message::Frame(_))) => Err(message::INVALID.into()),
            Some(Ok(Message::Close(_))) => Err(End::Left),
            Some(Err(Error::Capacity(_))) => Err(message::TOO_LONG.into()),
            Some(Err(Error::Utf8(_))) => Err(message::NOT_TEXT.into()),
            Some(Err(Error::Protocol(broken))) => Err(message::broken(&broken).map_or(End::Gone, End::Close)),
            Some(Err(_)) | None => Err(End::Gone),
        }
    }

    /// Writes a message. A reader that takes nothing for too long is gone: waiting for it would hold what it watches
    /// in memory.
    pub(super) async fn say(&mut self, message: Message) -> Result<(), End> {
        match timeout(self.write_time, self.frames.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    /// Ends the conversation.
    pub(super) async fn end(mut self, end: End) {
        let farewell = match end {
            End::Close(fault) => timeout(CLOSING, self.close(fault)).await,
            End::Left => timeout(CLOSING, self.part()).await,
            End::Gone => Ok(false),
        };
        if !matches!(farewell, Ok(true)) {
            // What nobody reads must not wait in the system's memory either.
            let _already_gone = self.frames.get_ref().set_zero_linger();
        }
    }

    async fn close(&mut self, fault: Fault) -> bool {
        let frame = CloseFrame { code: fault.code.into(), reason: fault.reason.as_ref().into() };
        self.frames.send(Message::Close(Some(frame))).await.is_ok() && self.part().await
    }

    /// Reads on until the other side has heard it: its answer would meet a closed door otherwise, which would take
    /// back what it has not read yet.
    async fn part(&mut self) -> bool {
        while let Some(Ok(_)) = self.frames.next().await {}
        let stream = self.frames.get_mut();
        if stream.shutdown().await.is_err() {
            return false;
        }
        let mut rest = [0; 512];
        loop {
            match stream.read(&mut rest).await {
                Ok(0) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }
}
