//! The wire under a conversation: frames in and out, and an end that the other side gets to know.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::message::{self, ClientMessage, Fault, Frame};
use crate::front::FrontSettings;
use crate::serve::Stream;

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
    frames: WebSocketStream<Stream>,
    write_time: Duration,
    /// Everything that came has been read.
    is_read: bool,
    /// The library may have something to write: an answer to a ping.
    owes: bool,
    /// A frame has gone out in part.
    is_torn: bool,
}

impl Line {
    /// Speaks over `stream`, of which `read` has been read already; it is copied, because it holds a whole buffer of the
    /// connection's past.
    pub(super) async fn open(stream: Stream, read: Bytes, settings: &FrontSettings) -> Self {
        // Every message is flushed before the next is written, so at most one waits for a slow reader.
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(settings.body_bytes))
            .max_frame_size(Some(settings.body_bytes));
        let frames =
            WebSocketStream::from_partially_read(stream, read.to_vec(), Role::Server, Some(config)).await;
        Self { frames, write_time: settings.write_time, is_read: false, owes: false, is_torn: false }
    }

    /// The next message of the protocol; `None` for the frames that keep a connection alive, which are answered.
    pub(super) async fn hear(&mut self) -> Result<Option<ClientMessage>, End> {
        match poll_fn(|cx| self.poll_frame(cx)).await {
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

    /// The next frame. Asking the library clears a whole buffer, so it is asked only where there is something to read.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        // What goes wrong here goes wrong in reading, too, and is told there.
        if self.is_read && self.frames.get_ref().poll_read_ready(cx).is_pending() {
            return Poll::Pending;
        }
        let frame = self.frames.poll_next_unpin(cx);
        self.is_read = frame.is_pending();
        self.owes |= frame.is_ready();
        frame
    }

    /// Writes a message. A reader that takes nothing for too long is gone: waiting for it would hold what it watches
    /// in memory.
    pub(super) async fn say(&mut self, message: Message) -> Result<(), End> {
        match timeout(self.write_time, self.frames.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    /// Writes a frame as it is, with one call where the system takes it at once, as it nearly always does.
    pub(super) async fn pass(&mut self, frame: Frame) -> Result<(), End> {
        if self.owes {
            let flushed = timeout(self.write_time, self.frames.flush()).await;
            flushed.map_err(|_elapsed| End::Gone)?.map_err(|_lost| End::Gone)?;
            self.owes = false;
        }
        let written = match self.frames.get_ref().try_write(frame.bytes()) {
            Ok(written) => written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => return Err(End::Gone),
        };
        let rest = &frame.bytes()[written..];
        if rest.is_empty() {
            // Whoever has much to say lets the others have their turn, as the library's own writing would.
            tokio::task::consume_budget().await;
            return Ok(());
        }
        self.is_torn = true;
        let stream = self.frames.get_mut();
        let written = timeout(self.write_time, async {
            stream.write_all(rest).await?;
            stream.flush().await
        });
        let written = written.await;
        self.is_torn = !matches!(written, Ok(Ok(())));
        if self.is_torn { Err(End::Gone) } else { Ok(()) }
    }

    /// Ends the conversation.
    pub(super) async fn end(mut self, end: End) {
        let farewell = match end {
            // A goodbye in the middle of a frame would not be understood.
            _ if self.is_torn => Ok(false),
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
