//! What the tests of worlds with several servers have in common.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use squall::check::{self, Finding, Judgement};
use squall::fault::{Act, ServerAct};
use squall::perform::{self, Setting};
use squall::plan::{Plan, Strike};
use squall::recorder::Recorder;
use squall::scenario::{Scenario, Topology};
use squall::stop::Stop;
use squall::subject::Flaw;
use squall::world::local::{Nodes, Redis};
use squall::world::{Kind, Login, World as _, WorldError};
use squall_client::settings::KeepaliveSettings;
use squall_client::{BoxStream, Clock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::stage::{SOON, own, strike, there_is_a_server};

/// How many processes there are, whichever the topology.
const SERVERS: usize = 6;

/// How long an answer is waited for: who stands still gives none.
const A_WHILE: Duration = Duration::from_secs(2);

pub(crate) async fn start(redis: &Redis, topology: Topology) -> Result<Nodes, WorldError> {
    Nodes::start(redis, topology, 2, 1, &Recorder::new(Clock::system()), Login::default(), &|_| {}).await
}

/// A world with two instances; `None` where there is no server and there need be none.
pub(crate) async fn world(topology: Topology) -> Option<Nodes> {
    if !there_is_a_server() {
        return None;
    }
    Some(start(&own(), topology).await.unwrap())
}

/// What strikes a primary.
pub(crate) fn of_several(act: ServerAct) -> Strike {
    Strike { of_several: true, ..strike(Act::Server(act), &[]) }
}

/// Connects an instance to the primary that holds the keys that begin so, as sentinels or nodes of the cluster say.
pub(crate) async fn connect_for(world: &Nodes, instance: u16, prefix: &str) -> std::io::Result<BoxStream> {
    let connect = world.route(instance).connect(&KeepaliveSettings::default()).unwrap();
    let opened = tokio::time::timeout(SOON, connect.connect_for(prefix, A_WHILE)).await;
    opened.expect("it ends soon").map(|(stream, _)| stream)
}

pub(crate) async fn ask(stream: &mut BoxStream, command: &str) -> std::io::Result<String> {
    stream.write_all(format!("{command}\r\n").as_bytes()).await?;
    let mut reply = [0; 4096];
    let read = tokio::time::timeout(A_WHILE, stream.read(&mut reply)).await;
    let count = read.map_err(|_| ErrorKind::TimedOut)??;
    if count == 0 {
        Err(ErrorKind::UnexpectedEof.into())
    } else {
        Ok(String::from_utf8_lossy(&reply[..count]).into_owned())
    }
}

/// Tries until the primary of the moment that holds these keys answers an instance so.
pub(crate) async fn answers(world: &Nodes, instance: u16, prefix: &str, command: &str, expected: &str) {
    let trying = async {
        loop {
            if let Ok(mut stream) = connect_for(world, instance, prefix).await
                && ask(&mut stream, command).await.is_ok_and(|answer| answer.contains(expected))
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), trying)
        .await
        .unwrap_or_else(|_| panic!("{command}: {expected}"));
}

/// The processes and folders of a world, to see whether they are there still.
pub(crate) struct Traces(Vec<PathBuf>);

impl Traces {
    pub(crate) fn of(world: &Nodes) -> Self {
        let (processes, folders) = world.traces();
        assert_eq!((processes.len(), folders.len()), (SERVERS, SERVERS));
        let processes = processes.iter().map(|process| PathBuf::from(format!("/proc/{process}")));
        let traces: Vec<PathBuf> = processes.chain(folders).collect();
        assert!(traces.iter().all(|trace| trace.exists()));
        Self(traces)
    }

    pub(crate) fn assert_gone(&self) {
        let left: Vec<_> = self.0.iter().filter(|trace| trace.exists()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// What the checks say of a run of a scenario of `topology`, with the reference client as it is or with a flaw.
pub(crate) async fn judged(scenario: &str, flaw: Option<&str>) -> Judgement {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/topology");
    let scenario = Scenario::load(&shipped.join(scenario).with_extension("toml")).unwrap();
    let flaw = flaw.map(|name| name.parse::<Flaw>().unwrap());
    let setting = Setting { flaw, ..Setting::of(Kind::Local) };
    let plan = Arc::new(Plan::new(&scenario, 1));
    check::judge(&perform::perform(plan, setting, Arc::new(|_| {}), Stop::new()).await.unwrap())
}

/// What the check of this name found.
pub(crate) fn finding<'a>(judgement: &'a Judgement, check: &str) -> &'a Finding {
    judgement.findings.iter().find(|finding| finding.check == check).unwrap()
}
