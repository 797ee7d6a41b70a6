use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// How a body ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The body is complete.
    Whole,
    /// The connection breaks before the announced length is reached.
    Cut,
    /// The body never ends.
    Never,
}

/// The body of a response, which can be slow, cut short or endless.
pub(crate) struct ReplyBody {
    chunks: VecDeque<Bytes>,
    end: End,
    length: u64,
    /// The pause between two chunks, and before the connection breaks.
    pace: Duration,
    pause: Option<Pin<Box<Sleep>>>,
    /// Called when the last chunk of a complete body is passed to the connection.
    delivered: Option<Box<dyn FnOnce() + Send>>,
}

impl ReplyBody {
    pub fn whole(body: String) -> Self {
        Self::new([Bytes::from(body)].into(), End::Whole, Duration::ZERO)
    }

    /// Sends half of the body. The pause lets that half reach the client before the connection breaks.
    pub fn truncated(body: String) -> Self {
        let length = body.len() as u64;
        let half = Bytes::from(body).slice(..length as usize / 2);
        Self { length, ..Self::new([half].into(), End::Cut, Duration::from_millis(1)) }
    }

    pub fn endless() -> Self {
        let start = Bytes::from_static(b"{\"endless\":\"");
        let more = Bytes::from(vec![b'x'; 64 << 10]);
        Self::new([start, more].into(), End::Never, Duration::from_millis(1))
    }

    pub fn slow(body: String, over: Duration) -> Self {
        const CHUNKS: usize = 50;
        let body = Bytes::from(body);
        let size = body.len().div_ceil(CHUNKS).max(1);
        let chunks: VecDeque<Bytes> = (0..body.len())
            .step_by(size)
            .map(|from| body.slice(from..body.len().min(from + size)))
            .collect();
        let pace = over / chunks.len().saturating_sub(1).max(1) as u32;
        Self::new(chunks, End::Whole, pace)
    }

    /// Calls `f` when the last byte is sent, which is before the client can react.
    pub fn on_delivery(mut self, f: impl FnOnce() + Send + 'static) -> Self {
        self.delivered = Some(Box::new(f));
        self
    }

    fn new(mut chunks: VecDeque<Bytes>, end: End, pace: Duration) -> Self {
        chunks.retain(|chunk| !chunk.is_empty());
        Self {
            length: chunks.iter().map(|chunk| chunk.len() as u64).sum(),
            chunks,
            end,
            pace,
            pause: None,
            delivered: None,
        }
    }

    fn next_chunk(&mut self) -> Option<Bytes> {
        let chunk = self.chunks.pop_front()?;
        if self.end == End::Never && self.chunks.is_empty() {
            self.chunks.push_back(chunk.clone());
        }
        let last = self.chunks.is_empty();
        if last && self.end == End::Whole {
            if let Some(delivered) = self.delivered.take() {
                delivered();
            }
        } else if !self.pace.is_zero() {
            self.pause = Some(Box::pin(sleep(self.pace)));
        }
        Some(chunk)
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(context));
            self.pause = None;
        }
        Poll::Ready(match self.next_chunk() {
            Some(chunk) => Some(Ok(Frame::data(chunk))),
            None if self.end == End::Cut => Some(Err(io::ErrorKind::ConnectionAborted.into())),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty() && self.end == End::Whole
    }

    fn size_hint(&self) -> SizeHint {
        match self.end {
            End::Never => SizeHint::default(),
            End::Whole | End::Cut => SizeHint::with_exact(self.length),
        }
    }
}
