//! What a server process is to be: a server alone, one of several, or a sentinel.

use std::io;
use std::path::Path;

/// Where a server's data are kept.
pub(super) const DATA: &str = "dump.rdb";

/// Where a sentinel keeps its configuration, which it writes itself.
const CONFIG: &str = "sentinel.conf";

/// What a server process is to be.
#[derive(Clone, Debug)]
pub(super) enum Role {
    /// A server, with these options beside its own.
    Server(Vec<String>),
    /// A sentinel, with these lines in its configuration.
    Sentinel(Vec<String>),
}

impl Role {
    /// A server that knows no others.
    pub(super) fn alone() -> Self {
        Self::Server(Vec::new())
    }

    /// A server with such options, as on a command line.
    pub(super) fn server(options: &str) -> Self {
        Self::Server(options.split_whitespace().map(str::to_owned).collect())
    }

    /// The arguments of its program. A server persists nothing of its own accord: what is kept over a restart is the fault's
    /// decision.
    pub(super) fn arguments(&self, port: u16, folder: &Path) -> io::Result<Vec<String>> {
        let shown = folder.display();
        match self {
            Self::Server(more) => {
                let (port, folder) = (port.to_string(), shown.to_string());
                let own = [
                    ["--port", &port],
                    ["--bind", "127.0.0.1"],
                    ["--dir", &folder],
                    ["--dbfilename", DATA],
                    ["--save", ""],
                    ["--appendonly", "no"],
                    ["--daemonize", "no"],
                ];
                let own = own.into_iter().flatten().map(str::to_owned);
                Ok(own.chain(more.iter().cloned()).collect())
            }
            Self::Sentinel(lines) => {
                let path = folder.join(CONFIG);
                let head = format!("port {port}\nbind 127.0.0.1\ndaemonize no\ndir \"{shown}\"\n");
                std::fs::write(&path, head + &lines.join("\n") + "\n")?;
                Ok(vec![path.display().to_string(), "--sentinel".to_owned()])
            }
        }
    }
}
