//! Which way bytes go from this machine into containers.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use testcontainers_modules::testcontainers::{ContainerAsync, Image};
use tokio::net::TcpStream;

use super::engine::Engine;
use crate::world::{WorldError, failed, quiet};

/// Set to `published` it forbids the bridge, say where a firewall stands before it.
const VARIABLE: &str = "SQUALL_ROUTE";

/// The way into containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By their address on the bridge: refusals and resets are true.
    Bridge,
    /// By published ports: Docker's forwarder stands between, and accepts what should be refused.
    Published,
}

impl Way {
    /// The best way that there should be, judged by whether the network's gateway is this very machine. It is not where Docker
    /// runs on another machine, in a virtual one, or beside the container that we are in.
    pub(super) async fn guess(engine: &Engine, network: &str) -> Result<Self, WorldError> {
        let gateway = engine.gateway(network).await?;
        let forbidden = std::env::var(VARIABLE).is_ok_and(|way| way == "published");
        Ok(if !forbidden && gateway.is_some_and(is_here) { Self::Bridge } else { Self::Published })
    }

    /// Where a container's port is reached now; it may change when the container is started again.
    pub(super) async fn address<I: Image>(
        self,
        container: &ContainerAsync<I>,
        port: u16,
    ) -> Result<SocketAddr, WorldError> {
        const DOING: &str = "find the way to a container";
        let (host, port) = match self {
            Self::Bridge => {
                let address = container.get_bridge_ip_address().await;
                return Ok(SocketAddr::new(address.map_err(failed(DOING))?, port));
            }
            Self::Published => {
                let published = container.get_host_port_ipv4(port).await.map_err(failed(DOING))?;
                (container.get_host().await.map_err(failed(DOING))?.to_string(), published)
            }
        };
        let found = tokio::net::lookup_host((host.as_str(), port)).await.map_err(failed(DOING))?;
        let mut addresses: Vec<SocketAddr> = found.collect();
        // Docker publishes on IPv4 always, on IPv6 not everywhere.
        addresses.sort_by_key(|address| !address.is_ipv4());
        addresses.first().copied().ok_or_else(|| failed(DOING)(format!("{host} has no address")))
    }

    /// For people.
    pub(super) fn note(self) -> &'static str {
        match self {
            Self::Bridge => "route: the containers' bridge addresses; refusals and resets are true",
            Self::Published => {
                "route: published ports; Docker's forwarder stands before Toxiproxy and makes ends of its resets; the tap refuses \
                 and resets by itself, so strikes of refuse and reset of live connections are true all the same"
            }
        }
    }
}

/// How long Redis may take to answer through a proxy that nothing strikes.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Makes sure that Redis answers through a proxy: what stands between containers is found now, and by its name. Then waits until
/// it answers at once for a while: other runs that are starting on this machine would be taken for faults.
pub(super) async fn knock(proxy: SocketAddr) -> Result<(), WorldError> {
    let first = async {
        let mut stream = TcpStream::connect(proxy).await?;
        let answer = quiet::ping(&mut stream).await?;
        Ok::<_, std::io::Error>((stream, answer))
    };
    let wrong = match tokio::time::timeout(ANSWERS_WITHIN, first).await {
        Ok(Ok((mut stream, answer))) if answer == "+PONG" || answer.starts_with("-NOAUTH") => {
            quiet::wait(&mut stream).await;
            return Ok(());
        }
        Ok(Ok((_, answer))) => format!("it answered {answer:?}"),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", ANSWERS_WITHIN.as_secs()),
    };
    Err(WorldError::Missing {
        what: format!("Redis cannot be reached through Toxiproxy: {wrong}"),
        cure: "let containers on one network reach each other (a firewall's FORWARD rules may forbid it), and see that the image is \
               one of Redis or Valkey without a password"
            .to_owned(),
    })
}

/// Whether an address is one of this machine's own.
fn is_here(address: IpAddr) -> bool {
    std::net::TcpListener::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_this_machine_is_told_from_others() {
        assert!(is_here([127, 0, 0, 1].into()));
        assert!(!is_here([192, 0, 2, 1].into()));
    }
}
