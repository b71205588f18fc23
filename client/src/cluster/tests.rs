//! Nodes on streams in memory that say what they are told to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::MutexGuard;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::connect::BoxStream;

/// What a node does when it is asked.
#[derive(Clone, Copy)]
enum Does {
    /// It names the node at this port, and says when that was decided.
    Name(u16, u64),
    /// The same, after so many milliseconds.
    Late(u64, u16, u64),
    /// It names itself, and so many replicas, which have the ports from 100 on.
    Crowd(u16),
    /// Its answer does not end.
    Flood,
    /// It answers nothing.
    Hang,
}

/// Nodes by their ports. Others refuse connections.
#[derive(Clone, Default)]
struct Fakes(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    does: BTreeMap<u16, Does>,
    asked: usize,
    /// The ports that somebody would connect to.
    tried: BTreeSet<u16>,
}

impl Fakes {
    fn of(nodes: &[(u16, Does)]) -> Self {
        let fakes = Self::default();
        fakes.lock().does.extend(nodes.iter().copied());
        fakes
    }

    fn cluster(&self, seeds: &[u16]) -> Cluster {
        let fakes = self.clone();
        let connect_to: Arc<ConnectTo> = Arc::new(move |_: &str, port| {
            Ok(Arc::new(Fake { fakes: fakes.clone(), port }) as Arc<dyn Connect>)
        });
        let seeds = seeds.iter().map(|port| ("h".to_owned(), *port)).collect();
        Cluster::new(seeds, Credentials::default(), connect_to)
    }

    /// How often a node was asked.
    fn asked(&self) -> usize {
        self.lock().asked
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap()
    }
}

struct Fake {
    fakes: Fakes,
    port: u16,
}

impl Connect for Fake {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async {
            let does = {
                let mut known = self.fakes.lock();
                known.tried.insert(self.port);
                let does = known.does.get(&self.port).copied().ok_or(io::ErrorKind::ConnectionRefused)?;
                known.asked += 1;
                does
            };
            let (ours, mut theirs) = tokio::io::duplex(1 << 12);
            let port = self.port;
            tokio::spawn(async move {
                let (mut received, mut chunk) = (Vec::new(), [0; 512]);
                // The last of the three questions.
                while !String::from_utf8_lossy(&received).contains("NODES") {
                    let read = theirs.read(&mut chunk).await.unwrap_or(0);
                    if read == 0 {
                        return;
                    }
                    received.extend_from_slice(&chunk[..read]);
                }
                match does {
                    Does::Name(holder, epoch) => {
                        theirs.write_all(&replies(port, holder, epoch)).await.unwrap()
                    }
                    Does::Late(ms, holder, epoch) => {
                        tokio::time::sleep(Duration::from_millis(ms)).await;
                        // Whoever asked may have gone.
                        let _ = theirs.write_all(&replies(port, holder, epoch)).await;
                    }
                    Does::Crowd(many) => theirs.write_all(&crowd(port, many)).await.unwrap(),
                    Does::Flood => {
                        let _ = theirs.write_all(b"$999999999\r\n").await;
                        let part = [b'x'; 1 << 12];
                        // Until the client has had enough, or for four times as much as it should take.
                        for _ in 0..1 << 14 {
                            if theirs.write_all(&part).await.is_err() {
                                return;
                            }
                        }
                    }
                    Does::Hang => std::future::pending().await,
                }
                // It stays open until it is left.
                let _ = theirs.read(&mut chunk).await;
            });
            Ok(Box::pin(ours) as BoxStream)
        })
    }
}

fn replies(port: u16, holder: u16, epoch: u64) -> Vec<u8> {
    let flags = if port == holder { "myself,master" } else { "master" };
    let nodes = format!("id h:{holder}@1 {flags} - 0 0 {epoch} connected 0-16383\n");
    answers(&[holder], &nodes)
}

/// What a node of that port says that has so many replicas.
fn crowd(port: u16, many: u16) -> Vec<u8> {
    let ports: Vec<u16> = [port].into_iter().chain(100..100 + many).collect();
    answers(&ports, &format!("id h:{port}@1 myself,master - 0 0 1 connected 0-16383\n"))
}

fn answers(ports: &[u16], nodes: &str) -> Vec<u8> {
    let named = ports.iter().map(|port| format!("*3\r\n$1\r\nh\r\n:{port}\r\n$2\r\nid\r\n"));
    let slots = format!("*1\r\n*{}\r\n:0\r\n:16383\r\n{}", 2 + ports.len(), named.collect::<String>());
    format!(":5\r\n{slots}${}\r\n{nodes}\r\n", nodes.len()).into_bytes()
}

/// How long a connection may take to open.
const LIMIT: Duration = Duration::from_secs(10);

async fn holder(cluster: &Cluster) -> u16 {
    cluster.holder("a", LIMIT).await.unwrap().1
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_only_said_to_hold_the_keys_is_asked_itself() {
    let fakes = Fakes::of(&[(1, Does::Name(2, 1)), (2, Does::Name(3, 2)), (3, Does::Name(3, 2))]);
    assert_eq!(holder(&fakes.cluster(&[1])).await, 3);
    assert_eq!(fakes.asked(), 3);
    // Who says so itself is believed.
    assert_eq!(holder(&fakes.cluster(&[3])).await, 3);
    assert_eq!(fakes.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn nodes_that_name_each_other_are_not_asked_for_ever() {
    let fakes = Fakes::of(&[(1, Does::Name(2, 1)), (2, Does::Name(1, 1))]);
    holder(&fakes.cluster(&[1])).await;
    assert_eq!(fakes.asked(), 1 + HOPS);
}

#[tokio::test(start_paused = true)]
async fn seeds_that_are_silent_or_gone_do_not_keep_a_connection_waiting() {
    let nodes = [(1, Does::Hang), (2, Does::Name(4, 1)), (3, Does::Hang), (4, Does::Name(4, 1))];
    let cluster = Fakes::of(&nodes).cluster(&[1, 2, 3, 9]);
    let found = timeout(OTHERS_WITHIN * 3, holder(&cluster)).await;
    assert_eq!(found.unwrap(), 4);
    let cluster = Fakes::of(&nodes).cluster(&[1, 3]);
    let error = timeout(LIMIT * 3 / 4, cluster.holder("a", LIMIT)).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "no connection: no node of 2 says who holds the keys: timed out");
}

#[tokio::test(start_paused = true)]
async fn a_node_may_take_a_quarter_of_the_time_that_a_connection_may() {
    let cluster = Fakes::of(&[(1, Does::Late(2000, 1, 1))]).cluster(&[1]);
    assert_eq!(cluster.holder("a", LIMIT).await.unwrap().1, 1);
    let error = cluster.holder("a", LIMIT / 2).await.unwrap_err();
    assert!(error.to_string().ends_with("timed out"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_an_end_is_not_kept() {
    let cluster = Fakes::of(&[(1, Does::Flood)]).cluster(&[1]);
    let error = cluster.holder("a", LIMIT).await.unwrap_err();
    assert!(error.to_string().ends_with(GUIDE_TOO_LARGE), "{error}");
}

#[tokio::test(start_paused = true)]
async fn when_no_seed_answers_those_are_asked_that_were_named_last() {
    let fakes = Fakes::of(&[(1, Does::Name(2, 1)), (2, Does::Name(2, 1))]);
    let cluster = fakes.cluster(&[1]);
    assert_eq!(holder(&cluster).await, 2);
    fakes.lock().does.remove(&1);
    assert_eq!(holder(&cluster).await, 2);
    fakes.lock().does.clear();
    let error = cluster.holder("a", LIMIT).await.unwrap_err();
    assert_eq!(error.to_string(), "no connection: no node of 2 says who holds the keys: connection refused");
}

#[tokio::test(start_paused = true)]
async fn a_seed_that_was_cut_off_is_not_believed_for_ever() {
    let fakes = Fakes::of(&[(1, Does::Name(2, 1)), (2, Does::Name(2, 1)), (3, Does::Name(3, 2))]);
    let cluster = fakes.cluster(&[1]);
    assert_eq!(holder(&cluster).await, 2);
    // What it held it holds no more, and has not heard of that.
    fakes.lock().does.extend([(1, Does::Name(1, 1)), (2, Does::Name(3, 2))]);
    assert_eq!(holder(&cluster).await, 3);
}

#[tokio::test(start_paused = true)]
async fn each_node_of_many_has_its_turn_to_be_asked() {
    let fakes = Fakes::of(&[(1, Does::Crowd(40))]);
    let cluster = fakes.cluster(&[1]);
    for connection in 1..=14 {
        assert_eq!(holder(&cluster).await, 1);
        // Not all at once.
        assert!(fakes.lock().tried.len() <= 1 + connection * BESIDE);
    }
    holder(&cluster).await;
    assert_eq!(fakes.lock().tried.len(), 41);
}

#[tokio::test(start_paused = true)]
async fn what_was_decided_last_counts_even_if_most_have_not_heard_of_it() {
    let nodes = [(1, Does::Name(1, 1)), (2, Does::Name(1, 1)), (3, Does::Name(3, 2))];
    let fakes = Fakes::of(&nodes);
    // The first two may be enough to go by: then the next connection asks again.
    assert!([1, 3].contains(&holder(&fakes.cluster(&[1, 2, 3])).await));
    assert_eq!(holder(&fakes.cluster(&[1, 3])).await, 3);
}
