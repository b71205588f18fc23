//! A strike is in force once it has begun, whatever a connection is just about.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use squall_client::Clock;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::timeout;

use super::tests::{GET, strike};
use super::*;
use crate::fault::Answer;

/// A stream during whose first read a strike begins: after the link has looked which there are, and before bytes come.
struct Meanwhile {
    stream: Memory,
    link: Arc<Link>,
    act: Option<Act>,
}

impl Meanwhile {
    fn stream(&mut self) -> Pin<&mut Memory> {
        Pin::new(&mut self.stream)
    }
}

impl AsyncRead for Meanwhile {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(act) = self.act.take() {
            assert!(pin!(self.link.begin(0, &strike(act))).poll(context).is_ready());
        }
        self.stream().poll_read(context, buffer)
    }
}

impl AsyncWrite for Meanwhile {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }
}

impl Stream for Meanwhile {
    fn reset_on_drop(&mut self) {
        self.stream.reset_on_drop();
    }

    fn poll_broken(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.stream.poll_broken(context)
    }
}

/// What reaches Redis of a command that comes when the strike has begun, and what comes back without Redis.
async fn carried(act: Option<Act>) -> (Vec<u8>, Vec<u8>) {
    let link = Arc::new(Link::new(3, 7, Recorder::new(Clock::new(0))));
    let (mut subject, near) = pair();
    let (far, mut redis) = pair();
    subject.write_all(GET).await.unwrap();
    link.carry(Meanwhile { stream: near, link: Arc::clone(&link), act }, async move { Ok(far) });
    let (mut arrived, mut answered) = (Vec::new(), Vec::new());
    let a_while = Duration::from_secs(1);
    let _ = timeout(a_while, redis.read_buf(&mut arrived)).await;
    let _ = timeout(a_while, subject.read_buf(&mut answered)).await;
    (arrived, answered)
}

#[tokio::test(start_paused = true)]
async fn what_comes_once_a_strike_has_begun_does_not_pass_as_before() {
    assert_eq!(carried(None).await, (GET.to_vec(), Vec::new()));
    for lost in [Act::HalfOpen, Act::Bend(Bend::Drop), Act::Bend(Bend::Hold)] {
        assert_eq!(carried(Some(lost.clone())).await, (Vec::new(), Vec::new()), "{lost:?}");
    }
    let error = Answer::Error("OOM no room".to_owned());
    assert_eq!(carried(Some(Act::Answer(error))).await, (Vec::new(), b"-OOM no room\r\n".to_vec()));
}
