//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use squall_client::Settings;

/// A small chat whose sessions outlive an outage of Redis.
#[derive(Debug, Parser)]
#[command(name = "chat", after_help = AFTER)]
pub(crate) struct Options {
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8001")]
    pub(crate) listen: SocketAddr,
    /// Where to keep what is accepted while Redis is away, so that it outlives this worker too; each worker needs a file of its own.
    #[arg(long, value_name = "FILE")]
    pub(crate) disk: Option<PathBuf>,
    /// How long the breaker leaves Redis alone the first time, such as 2s; the profile's 15s unless given.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) cool_down: Option<Duration>,
}

const AFTER: &str = "\
Examples:
  chat                                        one worker on http://127.0.0.1:8001/
  chat --listen 127.0.0.1:8002                a second one; both serve every session
  chat --cool-down 1s --disk worker.sessions  quick to come back, and nothing is lost with the process
  CHANNEL_REDIS_URL=redis://10.0.0.7:6379/1 REDIS_SESSION_TTL=600 chat
  curl -H \"Authorization: Bearer $CHAT_TOKEN\" http://127.0.0.1:8001/api/redis/status/

Variables:
  CHANNEL_REDIS_URL  the address of Redis (redis://localhost:6379/0)
  REDIS_SESSION_TTL  seconds that a session lives (3600)
  SESSION_ENCRYPTION_KEYS  keys that sessions are encrypted with, such as 1:$(openssl rand -base64 32); none unless set
  CHAT_TOKEN         the bearer token of the routes, 16 characters at least; one is drawn and shown unless it is set";

impl Options {
    /// Changes what they ask for.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        if let Some(cool_down) = self.cool_down {
            settings.breaker.cool_down = cool_down;
            settings.breaker.cool_down_max = cool_down.saturating_mul(4);
        }
    }
}
