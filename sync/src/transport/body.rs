//! What a question carries: bytes in memory, or those of a file as they are read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, SizeHint};
use tokio::fs::File;
use tokio::io::{AsyncRead as _, ReadBuf};

/// Any body.
pub(super) type Question = UnsyncBoxBody<Bytes, io::Error>;

/// So much of a file is in memory at a time.
const PIECE: usize = 64 * 1024;

pub(super) fn in_memory(body: Full<Bytes>) -> Question {
    Question::new(body.map_err(|never| match never {}))
}

/// The first bytes of a file, as many as were said: a file that has less of them breaks the question off, so that the other
/// side never takes a part for the whole.
pub(super) struct FileBody {
    file: File,
    left: u64,
    piece: Box<[u8]>,
}

impl FileBody {
    pub(super) fn new(file: File, bytes: u64) -> Self {
        Self { file, left: bytes, piece: vec![0; PIECE].into_boxed_slice() }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Self { file, left, piece } = &mut *self;
        if *left == 0 {
            return Poll::Ready(None);
        }
        let most = usize::try_from(*left).map_or(PIECE, |left| left.min(PIECE));
        let mut read = ReadBuf::new(&mut piece[..most]);
        ready!(Pin::new(file).poll_read(cx, &mut read))?;
        let read = read.filled();
        if read.is_empty() {
            let why = format!("the file ends {left} bytes early");
            return Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, why))));
        }
        *left -= read.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(Bytes::copy_from_slice(read)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    async fn pieces(content: &[u8], bytes: u64) -> (Vec<Bytes>, Option<io::Error>) {
        let mut written = tempfile::NamedTempFile::new().unwrap();
        written.write_all(content).unwrap();
        let mut body = FileBody::new(File::open(written.path()).await.unwrap(), bytes);
        assert_eq!(body.size_hint().exact(), Some(bytes));
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => pieces.push(frame.into_data().unwrap()),
                Err(error) => return (pieces, Some(error)),
            }
        }
        (pieces, None)
    }

    #[tokio::test]
    async fn a_file_is_read_piece_by_piece_and_whole() {
        let content: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
        let (sent, error) = pieces(&content, 1_000_000).await;
        assert!(error.is_none());
        assert!(sent.iter().all(|piece| piece.len() <= PIECE), "never more in memory than a piece");
        assert_eq!(sent.concat(), content);
    }

    #[tokio::test]
    async fn a_file_that_grew_is_cut_and_one_that_shrank_breaks_off() {
        assert_eq!(pieces(b"music and more", 5).await.0.concat(), b"music");
        let (sent, error) = pieces(b"music", 9).await;
        assert_eq!((sent.concat(), error.unwrap().kind()), (b"music".to_vec(), io::ErrorKind::UnexpectedEof));
    }
}
