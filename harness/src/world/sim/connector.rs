//! Opens connections to the embedded server, through a link.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use squall_client::{BoxStream, Clock, Connect, Connecting};

use crate::link::{Link, pair};
use crate::server::Server;

/// What opening a connection takes at least, refused or not: one that took no time could be tried again for ever without time
/// going on.
const ROUND_TRIP: Duration = Duration::from_millis(1);

/// One instance's way to open connections.
pub(super) struct Connector {
    link: Option<Arc<Link>>,
    server: Server,
    clock: Clock,
}

impl Connector {
    /// Connections through `link`; without one all are refused.
    pub(super) fn new(link: Option<Arc<Link>>, server: Server, clock: Clock) -> Self {
        Self { link, server, clock }
    }

    async fn open(&self) -> io::Result<BoxStream> {
        tokio::time::sleep_until(self.clock.instant(self.clock.now() + ROUND_TRIP)).await;
        if let Some(link) = &self.link {
            link.reached().await;
        }
        let Some(link) = self.link.as_ref().filter(|link| !link.refuses()) else {
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let (client, near) = pair();
        let server = self.server.clone();
        link.carry(near, async move {
            let (far, end) = pair();
            tokio::spawn(async move { server.serve(end).await });
            Ok(far)
        });
        Ok(Box::pin(client))
    }
}

impl Connect for Connector {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(self.open())
    }
}
