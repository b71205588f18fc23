//! The durable fallback: what was acknowledged as being on disk survives the process, however it ends, and a disk that is full.

#[expect(dead_code, reason = "each test file uses its part")]
mod redis;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use squall_client::{
    Clock, Endpoint, Environment, Event, Level, Lookup, SessionClient, Settings, StartError, Tcp,
};

use redis::{Redis, eventually, free_port};

const HOUR: Duration = Duration::from_secs(3600);
/// Where the other process finds its file, its first number, and how large its values are.
const FILE: &str = "SQUALL_TEST_FILE";
const FIRST: &str = "SQUALL_TEST_FIRST";
const SIZE: &str = "SQUALL_TEST_SIZE";

fn client(port: u16, file: &Path) -> Result<SessionClient, StartError> {
    let settings = Settings::default();
    let tcp = Tcp { host: "127.0.0.1".to_owned(), port, keepalive: settings.keepalive.clone() };
    let environment = Environment { disk: Some(file.to_owned()), ..Environment::new(1) };
    SessionClient::start(settings, Endpoint::new(Arc::new(tcp)), environment)
}

/// The process that is killed: it writes without Redis, and says what was acknowledged, and how.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "other tests run it, as a process of its own"]
async fn the_process_that_is_killed() {
    let variable = |name| std::env::var(name).expect("another test sets it");
    let client = client(free_port(), Path::new(&variable(FILE))).expect("it starts");
    let (first, size): (u64, usize) = (variable(FIRST).parse().unwrap(), variable(SIZE).parse().unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8 {
        let client = client.clone();
        tasks.spawn(async move {
            for number in first.. {
                let id = format!("{task}-{}", number % 20);
                let value = Bytes::from(format!("{number:0size$}"));
                let ack = match number % 3 {
                    0 => client.create(&id, value, HOUR).await,
                    _ => match client.update(&id, value.clone()).await {
                        Err(_) => client.create(&id, value, HOUR).await,
                        done => done,
                    },
                };
                let level = ack.expect("the local copy takes it").level;
                // One write, so that a line is whole or not there. Nobody may listen any more.
                let _unheard =
                    std::io::stdout().write_all(format!("\nack {id} {number} {level:?}\n").as_bytes());
            }
        });
    }
    tasks.join_all().await;
}

/// Starts it, as `program` says: straight or by a shell that limits it.
fn other_process(file: &Path, first: u64, size: usize, limit: Option<&str>) -> Child {
    let mut program = match limit {
        None => Command::new(std::env::current_exe().expect("it has a path")),
        Some(limit) => {
            let mut shell = Command::new("sh");
            shell
                .args(["-c", &format!("{limit}; exec \"$0\" \"$@\"")])
                .arg(std::env::current_exe().expect("it has a path"));
            shell
        }
    };
    program.args(["--ignored", "--exact", "--nocapture", "the_process_that_is_killed"]);
    program.env(FILE, file).env(FIRST, first.to_string()).env(SIZE, size.to_string());
    program.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts")
}

/// What it says: the session, the number, the level.
fn acks(child: &mut Child) -> impl Iterator<Item = (String, u64, String)> + use<> {
    let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
    lines.filter_map(|line| {
        let mut words = line.strip_prefix("ack ")?.split(' ').map(str::to_owned);
        Some((words.next()?, words.next()?.parse().ok()?, words.next()?))
    })
}

/// The sessions' numbers, as a client says that has this file and no Redis.
async fn numbers(file: &Path, ids: impl IntoIterator<Item = &String>) -> BTreeMap<String, u64> {
    let client = client(free_port(), file).expect("it starts");
    assert_eq!(client.stats().damaged, 0);
    let mut found = BTreeMap::new();
    for id in ids {
        if let Ok(Lookup::Found { session, .. }) = client.get(id).await {
            found.insert(id.clone(), number(&session.value));
        }
    }
    client.shutdown().await;
    found
}

/// Sessions of which less is there than was acknowledged.
fn lost(acked: &BTreeMap<String, u64>, found: &BTreeMap<String, u64>) -> Vec<String> {
    let there = |id: &String| found.get(id).copied();
    let lost = acked.iter().filter(|(id, number)| there(id).is_none_or(|there| there < **number));
    lost.map(|(id, number)| format!("{id}: {number}, there is {:?}", there(id))).collect()
}

fn number(value: &[u8]) -> u64 {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).expect("a number that was written")
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_on_disk_is_lost_when_the_process_is_killed() {
    let rounds: u64 = std::env::var("SQUALL_KILLS").map_or(20, |rounds| rounds.parse().expect("a number"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions");
    let (mut acked, mut total) = (BTreeMap::new(), 0u64);
    for round in 0..rounds {
        let mut child = other_process(&file, round * 1_000_000, 300, None);
        // Another moment each round.
        let until = 1 + (round * 37) % 150;
        let mut count = 0;
        for (id, number, level) in acks(&mut child) {
            assert_eq!(level, "Disk");
            acked.insert(id, number);
            count += 1;
            if count == until {
                child.kill().unwrap();
            }
        }
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        total += count;
        let lost = lost(&acked, &numbers(&file, acked.keys()).await);
        assert!(lost.is_empty(), "round {round}: {lost:?}");
    }
    assert!(total >= rounds);
    say(&format!("{rounds} kills, {total} acknowledged writes, none lost"));
    let Some(redis) = Redis::start().await else { return };
    let client = client(redis.port, &file).expect("it starts");
    eventually("redis has all", || async { client.stats().dirty == 0 }).await;
    for (id, number) in &acked {
        let Ok(Lookup::Found { session, .. }) = client.get(id).await else { panic!("{id} is not in redis") };
        assert!(self::number(&session.value) >= *number);
    }
    client.shutdown().await;
    assert_eq!(numbers(&file, acked.keys()).await.len(), 0, "what redis has leaves the disk");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_by_the_level_and_what_lies_there_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions");
    // A file may have 4 MiB, and writing more is an error instead of a death.
    let mut child = other_process(&file, 0, 50_000, Some("trap '' XFSZ; ulimit -f 8192"));
    let (mut on_disk, mut in_memory) = (BTreeMap::new(), 0);
    for (id, number, level) in acks(&mut child) {
        match level.as_str() {
            "Disk" => drop(on_disk.insert(id, number)),
            other => {
                assert_eq!(other, "Memory");
                in_memory += 1;
            }
        }
        if in_memory == 50 {
            child.kill().unwrap();
        }
    }
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert!(in_memory >= 50 && !on_disk.is_empty(), "{in_memory} and {}", on_disk.len());
    let lost = lost(&on_disk, &numbers(&file, on_disk.keys()).await);
    assert!(lost.is_empty(), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_serves_one_client_at_a_time_and_is_free_after_its_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions");
    let first = client(free_port(), &file).expect("it starts");
    let refused = client(free_port(), &file).err().expect("it is in use");
    assert!(matches!(refused, StartError::Disk(_)), "{refused}");
    assert_eq!(first.create("s", Bytes::from_static(b"1"), HOUR).await.unwrap().level, Level::Disk);
    first.shutdown().await;
    assert_eq!(numbers(&file, [&"s".to_owned()]).await, BTreeMap::from([("s".to_owned(), 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_removed_while_it_is_in_use_is_told_by_the_level() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions");
    let client = client(free_port(), &file).expect("it starts");
    let create = async |id| client.create(id, Bytes::from_static(b"1"), HOUR).await.unwrap().level;
    assert_eq!(create("a").await, Level::Disk);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(create("b").await, Level::Memory);
    // Another file in its place lacks what the first had.
    std::fs::write(&file, b"").unwrap();
    assert_eq!(create("c").await, Level::Memory);
    assert_eq!(client.stats().disk_failures, 2);
    client.shutdown().await;
    assert_eq!(std::fs::read(&file).unwrap(), b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_redis_there_nothing_goes_to_disk() {
    let Some(redis) = Redis::start().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions");
    let client = client(redis.port, &file).expect("it starts");
    assert_eq!(client.create("s", Bytes::from_static(b"1"), HOUR).await.unwrap().level, Level::Redis);
    client.shutdown().await;
    assert_eq!(numbers(&file, [&"s".to_owned()]).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_file_the_level_says_that_it_is_in_memory_only() {
    let settings = Settings::default();
    let tcp = Tcp { host: "127.0.0.1".to_owned(), port: free_port(), keepalive: settings.keepalive.clone() };
    let endpoint = Endpoint::new(Arc::new(tcp));
    let told = redis::told(endpoint, 1, &settings, Clock::system());
    assert_eq!(told.client.create("s", Bytes::from_static(b"1"), HOUR).await.unwrap().level, Level::Memory);
    assert_eq!(told.count(|event| matches!(event, Event::Disk { .. })), 0, "it has no disk");
}

#[expect(clippy::print_stderr, reason = "what was measured is shown")]
fn say(text: &str) {
    eprintln!("{text}");
}
