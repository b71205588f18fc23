//! What the examples have in common: a redis-server of their own.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A redis-server that keeps nothing. It ends when this is dropped.
pub(crate) struct Server(Child);

impl Server {
    /// Starts it, and waits until it accepts connections.
    pub(crate) async fn start(port: u16) -> Self {
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let server = Self(child);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        let _dead_already = self.0.kill();
        let _ended = self.0.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody listens on just now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address").port()
}

/// A line for whoever runs the example.
#[expect(clippy::print_stdout, reason = "it is a program")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
