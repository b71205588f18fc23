//! Files of the durable fallback that are none, or cannot be used.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use redb::{Database, TableDefinition};
use squall_client::{Endpoint, Environment, Level, SessionClient, StartError, Tcp};

use crate::redis::{MINUTE, free_port, quick, value};

fn start(file: &Path) -> Result<SessionClient, StartError> {
    let settings = quick();
    let tcp = Tcp { host: "127.0.0.1".to_owned(), port: free_port(), keepalive: settings.keepalive.clone() };
    let environment = Environment { disk: Some(file.to_owned()), ..Environment::new(1) };
    SessionClient::start(settings, Endpoint::new(Arc::new(tcp)), environment)
}

fn refused(file: &Path) -> String {
    let error = start(file).err().unwrap_or_else(|| panic!("{} is taken", file.display()));
    assert!(matches!(error, StartError::Disk(_)), "{error}");
    error.to_string()
}

#[tokio::test]
async fn a_file_that_cannot_be_one_is_refused_at_the_start_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let shown = |name: &str| folder.path().join(name).display().to_string();
    assert_eq!(
        refused(folder.path()),
        format!("cannot open {}: Is a directory (os error 21)", folder.path().display())
    );
    let nowhere = refused(&folder.path().join("no").join("file"));
    assert_eq!(nowhere, format!("cannot open {}: No such file or directory (os error 2)", shown("no/file")));
    let letter = folder.path().join("letter");
    std::fs::write(&letter, "dear grandmother ".repeat(1000)).unwrap();
    let text = refused(&letter);
    assert!(
        text.starts_with(&format!("{} is no file of this client's sessions, or damaged (", shown("letter"))),
        "{text}"
    );
    assert!(text.ends_with("; move it away to start without it"), "{text}");
    assert_eq!(std::fs::read(&letter).unwrap().len(), 17_000, "it is left alone");
    for device in ["/dev/full", "/dev/null", "/proc/sessions"] {
        let text = refused(Path::new(device));
        assert!(text.contains(device), "{text}");
    }
}

#[tokio::test]
async fn a_file_of_another_program_or_of_another_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for (table, who) in [("their table", "program"), ("squall-sessions-2", "version of this client")] {
        let file = folder.path().join(table);
        let definition: TableDefinition<'_, &str, &[u8]> = TableDefinition::new(table);
        let database = Database::create(&file).unwrap();
        let writing = database.begin_write().unwrap();
        writing.open_table(definition).unwrap().insert("k", &b"theirs"[..]).unwrap();
        writing.commit().unwrap();
        drop(database);
        let why = format!("another {who} wrote it, in {table:?}");
        let text = format!(
            "{} is no file of this client's sessions, or damaged ({why}); move it away to start without it",
            file.display()
        );
        assert_eq!(refused(&file), text);
        use redb::ReadableDatabase as _;
        let database = Database::open(&file).unwrap();
        let reading = database.begin_read().unwrap();
        assert!(reading.open_table(definition).unwrap().get("k").unwrap().is_some());
    }
}

#[tokio::test]
async fn a_file_that_was_cut_or_changed_is_refused_and_a_damaged_session_in_it_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions");
    let client = start(&file).unwrap();
    for number in 0..20 {
        let ack = client.create(&format!("s{number}"), value("x"), MINUTE).await.unwrap();
        assert_eq!(ack.level, Level::Disk);
    }
    client.shutdown().await;
    drop(client);
    let whole = std::fs::read(&file).unwrap();
    for length in (1..whole.len()).step_by(whole.len() / 40) {
        std::fs::write(&file, &whole[..length]).unwrap();
        assert!(refused(&file).contains("sessions"), "{length} of {}", whole.len());
    }
    // A session whose own check fails, in a file that is whole.
    std::fs::write(&file, &whole).unwrap();
    let definition: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("squall-sessions-1");
    let database = Database::open(&file).unwrap();
    let writing = database.begin_write().unwrap();
    writing.open_table(definition).unwrap().insert("s7", &b"sd1;spoilt"[..]).unwrap();
    writing.commit().unwrap();
    drop(database);
    let client = start(&file).unwrap();
    assert_eq!((client.stats().damaged, client.stats().local_sessions), (1, 19));
    client.shutdown().await;
}

#[tokio::test]
#[ignore = "another test runs it, as a process of its own"]
async fn a_process_that_holds_a_file() {
    let file = std::env::var("SQUALL_TEST_HELD").expect("another test sets it");
    let _client = start(Path::new(&file)).expect("it is free");
    say("held");
    // Until the other process closes its end.
    let _end = std::io::stdin().read_line(&mut String::new());
}

#[expect(clippy::print_stdout, reason = "the other process reads it")]
fn say(text: &str) {
    println!("\n{text}");
}

#[tokio::test]
async fn a_file_that_another_process_holds_is_refused_until_that_ends() {
    use std::io::{BufRead as _, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sessions");
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "disk::a_process_that_holds_a_file"])
        .env("SQUALL_TEST_HELD", &file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(holder.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(told.any(|line| line == "held"));
    let text = format!("{} is in use: each instance needs a file of its own", file.display());
    assert_eq!(refused(&file), text);
    holder.kill().unwrap();
    holder.wait().unwrap();
    let client = start(&file).expect("it is free again");
    client.shutdown().await;
}
