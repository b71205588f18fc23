//! Waits until the machine is quiet: other runs that are starting on it would be taken for faults.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// When Redis has answered so often in a row, each time at once, the machine is quiet enough for a run.
const QUIET_AFTER: u32 = 40;
const AT_ONCE: Duration = Duration::from_millis(50);
const PAUSE: Duration = Duration::from_millis(25);

/// How long to wait for that. A way that is slow by nature never gets quiet.
const PATIENCE: Duration = Duration::from_secs(20);

/// The longest line that is waited for.
const LINE: usize = 1024;

/// Waits until Redis has answered at once for a while. A machine that is never quiet is told by what the run finds.
pub(super) async fn wait(stream: &mut TcpStream) {
    let _ = tokio::time::timeout(PATIENCE, answers_at_once(stream)).await;
}

/// Asks with PING, and returns the line that is the answer. One that only says who may ask is as good as any.
pub(super) async fn ping(stream: &mut TcpStream) -> io::Result<String> {
    ask(stream, "PING").await
}

/// Logs in. Neither name nor password may have blanks.
pub(super) async fn log_in(stream: &mut TcpStream, user: &str, password: &str) -> io::Result<()> {
    match ask(stream, &format!("AUTH {user} {password}")).await?.as_str() {
        "+OK" => Ok(()),
        refused => Err(io::Error::other(refused.to_owned())),
    }
}

async fn ask(stream: &mut TcpStream, command: &str) -> io::Result<String> {
    stream.write_all(format!("{command}\r\n").as_bytes()).await?;
    let mut line = Vec::new();
    loop {
        let byte = stream.read_u8().await?;
        if byte == b'\n' || line.len() == LINE {
            return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
        line.push(byte);
    }
}

async fn answers_at_once(stream: &mut TcpStream) -> io::Result<()> {
    let mut in_a_row = 0;
    while in_a_row < QUIET_AFTER {
        let mut answer = std::pin::pin!(ping(stream));
        if let Ok(answer) = tokio::time::timeout(AT_ONCE, answer.as_mut()).await {
            answer?;
            in_a_row += 1;
        } else {
            answer.await?;
            in_a_row = 0;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
