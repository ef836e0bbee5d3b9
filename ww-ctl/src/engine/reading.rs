//! Reading from connections that are silent most of the time, of which there may be thousands.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, ReadBuf};

/// So many bytes are read at a time.
const PIECE: usize = 16 * 1024;

/// Waits until there is something, and adds what is there to the buffer: how many bytes, none at the
/// end. No memory is held while nothing comes. Nothing is lost when the call is given up.
///
/// # Errors
/// When the connection breaks.
pub(crate) async fn read_some(
    reader: &mut (impl AsyncRead + Unpin + ?Sized),
    buffer: &mut BytesMut,
) -> io::Result<usize> {
    if buffer.is_empty() {
        *buffer = BytesMut::new();
    }
    poll_fn(|cx| {
        // On the stack, and only as long as this takes.
        let mut space = [const { MaybeUninit::uninit() }; PIECE];
        let mut piece = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut *reader).poll_read(cx, &mut piece))?;
        buffer.extend_from_slice(piece.filled());
        Poll::Ready(Ok(piece.filled().len()))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn what_comes_is_added_and_nothing_is_held_before_it_does() {
        let (mut ours, mut theirs) = tokio::io::duplex(64);
        let mut buffer = BytesMut::with_capacity(4096);
        let waiting = read_some(&mut ours, &mut buffer);
        let given_up = tokio::time::timeout(std::time::Duration::ZERO, waiting).await;
        assert!(given_up.is_err());
        assert_eq!(buffer.capacity(), 0);
        theirs.write_all(b"ab").await.unwrap();
        assert_eq!(read_some(&mut ours, &mut buffer).await.unwrap(), 2);
        theirs.write_all(b"c").await.unwrap();
        assert_eq!(read_some(&mut ours, &mut buffer).await.unwrap(), 1);
        assert_eq!(&buffer[..], b"abc");
        drop(theirs);
        assert_eq!(read_some(&mut ours, &mut buffer).await.unwrap(), 0);
    }
}
