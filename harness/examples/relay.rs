//! A relay that reads nothing of what it carries: `cargo run --release --example relay -- 127.0.0.1:6379`.
//!
//! What any proxy costs at the least, beside which `scripts/proxy-speed` measures the fault link.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let upstream: SocketAddr =
        std::env::args().nth(1).ok_or("name a server, such as 127.0.0.1:6379")?.parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        squall::cli::say(&format!("listening on {}", listener.local_addr()?));
        loop {
            let (mut client, _) = listener.accept().await?;
            tokio::spawn(async move {
                let mut server = TcpStream::connect(upstream).await?;
                client.set_nodelay(true)?;
                server.set_nodelay(true)?;
                copy_bidirectional(&mut client, &mut server).await
            });
        }
    })
}
