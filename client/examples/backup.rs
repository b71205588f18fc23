//! Backs up the sessions of a prefix, and restores them.
//!
//! ```text
//! cargo run --release -p squall-client --example backup -- backup redis://localhost:6379/0 > sessions.backup
//! cargo run --release -p squall-client --example backup -- restore redis://localhost:6379/0 < sessions.backup
//! ```
//! Encrypted values stay so, and need no key.

use std::io::{self, Read as _, Write as _};
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll};

use clap::{Parser, Subcommand};
use rand::TryRng as _;
use rand::rngs::SysRng;
use squall_client::{Endpoint, Environment, SessionClient, Settings, TlsOptions};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Backs up the sessions of a prefix, and restores them.
#[derive(Debug, Parser)]
#[command(name = "backup", after_help = AFTER)]
struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Writes every session to standard output.
    Backup(Where),
    /// Brings every session of standard input back: what is newer in Redis stays, what is gone since stays gone.
    Restore(Where),
}

#[derive(Debug, clap::Args)]
struct Where {
    /// The address of Redis: redis://[user[:password]@]host[:port][/database], or rediss:// for TLS.
    #[arg(value_name = "URL", env = "REDIS_URL", hide_env_values = true)]
    url: String,
    /// What stands before the sessions' ids.
    #[arg(long, value_name = "PREFIX", default_value = "session:")]
    prefix: String,
}

const AFTER: &str = "\
Examples:
  backup backup redis://localhost:6379/0 > sessions.backup
  backup restore redis://localhost:6379/0 < sessions.backup
  REDIS_URL=redis://:password@redis/1 backup backup --prefix chat: > chat.backup

It ends with 0 if all is there, 1 if a part is damaged or missing, or Redis cannot be asked.";

type Trouble = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    match run(options.what).await {
        Ok((said, whole)) => {
            say(&said);
            if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(trouble) => {
            say(&trouble.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Does it, and says what was done, and whether that is all there was to do.
async fn run(what: What) -> Result<(String, bool), Trouble> {
    match what {
        What::Backup(from) => {
            let mut to = Blocking(io::BufWriter::new(io::stdout()));
            let done = client(&from)?.backup(&mut to).await?;
            Ok((format!("{done:?}"), done.damaged == 0))
        }
        What::Restore(to) => {
            let done = client(&to)?.restore(Blocking(io::stdin())).await;
            let done = done.map_err(|error| format!("{error}; until then {:?}", error.so_far))?;
            Ok((format!("{done:?}"), done.damaged + done.foreign == 0))
        }
    }
}

fn client(place: &Where) -> Result<SessionClient, Trouble> {
    let settings = Settings { key_prefix: place.prefix.clone(), ..Settings::default() };
    let endpoint = Endpoint::parse(&place.url, &settings.keepalive, &TlsOptions::default())?;
    Ok(SessionClient::start(settings, endpoint, Environment::new(SysRng.try_next_u32()?))?)
}

/// Standard input or output. It blocks only its own thread: the client's tasks have others.
struct Blocking<T>(T);

impl AsyncRead for Blocking<io::Stdin> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.0.read(into.initialize_unfilled());
        Poll::Ready(read.map(|length| into.advance(length)))
    }
}

impl<T: io::Write + Unpin> AsyncWrite for Blocking<T> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.0.write(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

/// Writes a line to standard error: standard output is the backup.
fn say(text: &str) {
    // Nobody may read it.
    let _unread = writeln!(io::stderr(), "{text}");
}
