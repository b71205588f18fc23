//! One connection through the tap.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::wire::Decoder;
use super::{Shared, lock};
use crate::history::Wire;

const CHUNK: usize = 8 * 1024;

/// How a connection came to its end other than by both sides ending it.
enum Cut {
    BySubject,
    ByRedis,
}

/// Carries bytes both ways until the connection ends; says who ended it and how.
pub(super) async fn carry(shared: &Shared, number: u32, mut client: TcpStream) -> String {
    let resets = shared.reset.notified();
    tokio::pin!(resets);
    resets.as_mut().enable();
    let address = *lock(&shared.upstream);
    let connected = tokio::select! {
        biased;
        () = &mut resets => { reset(&client); return "world: reset".to_owned() }
        connected = TcpStream::connect(address) => connected,
    };
    let mut upstream = match connected {
        Ok(upstream) => upstream,
        Err(error) => {
            reset(&client);
            return format!("redis: {}", error.kind());
        }
    };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_redis, mut to_redis) = upstream.split();
    let _ = (to_client.as_ref().set_nodelay(true), to_redis.as_ref().set_nodelay(true));
    let (up, down) = (Decoder::upstream(), Decoder::downstream());
    let up = pump(
        &mut from_client,
        &mut to_redis,
        up,
        |what| shared.record(number, what),
        Cut::BySubject,
        Cut::ByRedis,
    );
    let down = pump(
        &mut from_redis,
        &mut to_client,
        down,
        |what| shared.record(number, what),
        Cut::ByRedis,
        Cut::BySubject,
    );
    let by = tokio::select! {
        biased;
        () = &mut resets => "world: reset".to_owned(),
        ended = both(up, down) => match ended {
            Ok(by) => return by,
            Err(Cut::BySubject) => "subject: reset".to_owned(),
            Err(Cut::ByRedis) => "redis: reset".to_owned(),
        },
    };
    reset(&client);
    reset(&upstream);
    by
}

/// Waits until both directions have ended; says which did first.
async fn both(
    up: impl Future<Output = Result<(), Cut>>,
    down: impl Future<Output = Result<(), Cut>>,
) -> Result<String, Cut> {
    tokio::pin!(up, down);
    tokio::select! {
        biased;
        ended = &mut up => { ended?; down.await?; Ok("subject: end".to_owned()) }
        // Redis has ended it: what the subject still sends goes nowhere, as it does without a tap.
        ended = &mut down => { ended?; let _ = tokio::time::timeout(LINGER, up).await; Ok("redis: end".to_owned()) }
    }
}

/// How long a subject may leave a connection half open that Redis has ended.
const LINGER: Duration = Duration::from_secs(30);

async fn pump(
    from: &mut ReadHalf<'_>,
    to: &mut WriteHalf<'_>,
    mut decoder: Decoder,
    mut record: impl FnMut(Wire),
    reading: Cut,
    writing: Cut,
) -> Result<(), Cut> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = match from.read(&mut chunk).await {
            Ok(0) => {
                let _ = to.shutdown().await;
                return Ok(());
            }
            Ok(count) => count,
            Err(_) => return Err(reading),
        };
        // Commands are recorded before they leave, replies before they arrive, so an answer never precedes its question.
        decoder.take(&chunk[..count], &mut record);
        match to.write_all(&chunk[..count]).await {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(_) => return Err(writing),
        }
    }
}

/// The connection ends with RST when it is dropped.
fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
