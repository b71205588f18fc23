//! The fault proxy by itself, in front of a Redis: `cargo run --release --example proxy -- 127.0.0.1:6379`.
//!
//! It says where it listens and goes on until it is ended. `scripts/proxy-speed` measures it.

use std::net::SocketAddr;

use squall::link::Proxy;
use squall::recorder::Recorder;
use squall_client::Clock;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let upstream: SocketAddr =
        std::env::args().nth(1).ok_or("name a server, such as 127.0.0.1:6379")?.parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let recorder = Recorder::new(Clock::system());
        let proxy = Proxy::listen(0, 0, upstream, recorder.clone()).await?;
        squall::cli::say(&format!("listening on {}", proxy.address()));
        loop {
            recorder.until(recorder.now() + 100_000_000).await;
            // A run keeps what was recorded; here nobody asks for it.
            drop(recorder.take());
        }
    })
}
