//! The form of a history: its document, its schema and its code say the same, and what is no history is told as such.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufReader, Cursor};
use std::path::Path;
use std::sync::Arc;

use jsonschema::Validator;
use serde_json::{Value, json};
use squall::check::{Gather, Index, judge, judge_index};
use squall::history::{Entries as _, Entry, EntryReader, Head, History, HistoryError, read, write};
use squall::perform::{self, Setting};
use squall::plan::Plan;
use squall::report::{Figures, Folder, RunResult};
use squall::scenario;
use squall::stop::Stop;
use squall::world::{Kind, Login};
use tokio::runtime::Builder;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

fn schema() -> Value {
    serde_json::from_str(&document("history.schema.json")).unwrap()
}

/// A validator for one part of the schema, such as `entry`.
fn part(name: &str) -> Validator {
    let mut whole = schema();
    whole.as_object_mut().unwrap().remove("oneOf");
    whole["$ref"] = json!(format!("#/$defs/{name}"));
    jsonschema::draft202012::new(&whole).unwrap()
}

#[track_caller]
fn valid(validator: &Validator, line: &str) {
    let message: Value = serde_json::from_str(line).unwrap();
    let wrong: Vec<String> = validator.iter_errors(&message).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{line}: {wrong:?}");
}

/// The document's lines of JSON: a history.
fn examples() -> String {
    document("history.md")
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// A real history: one scenario, in the sim world.
fn real(scenario: &str, seed: u64) -> History {
    let files = scenario::find(&[root().join("scenarios").join(scenario)]).unwrap();
    let plan = Arc::new(Plan::new(&files[0].load().unwrap(), seed));
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let run = perform::perform(plan, Setting::of(Kind::Sim), Arc::new(|_| {}), Stop::new());
    runtime.block_on(run).unwrap_or_else(|trouble| panic!("{trouble}"))
}

fn text(history: &History) -> String {
    let mut text = Vec::new();
    write(history, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// The names in `value`, each with the names above it: `wire.what.reply.kind.error`.
fn names(value: &Value, above: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = format!("{above}.{name}");
                names(value, &name, found);
                found.insert(name);
            }
        }
        Value::String(word) => _ = found.insert(format!("{above}={word}")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {}
    }
}

#[test]
fn every_line_of_the_document_is_valid_and_together_they_are_read_as_a_history() {
    jsonschema::draft202012::meta::validate(&schema()).unwrap();
    let (head, entry, whole) =
        (part("head"), part("entry"), jsonschema::draft202012::new(&schema()).unwrap());
    let examples = examples();
    for (number, line) in examples.lines().enumerate() {
        valid(if number == 0 { &head } else { &entry }, line);
        valid(&whole, line);
    }
    let history = read(examples.as_bytes()).unwrap();
    assert!(history.entries.len() > 40, "{}", history.entries.len());
    assert!(!judge(&history).findings.is_empty());
}

#[test]
fn the_document_has_an_example_of_everything_that_an_entry_can_say() {
    let mut shown = BTreeSet::new();
    for line in examples().lines().skip(1) {
        names(&serde_json::from_str::<Value>(line).unwrap()["e"], "", &mut shown);
    }
    let schema = schema();
    let mut missing = Vec::new();
    let mut look_for = |above: &str, value: &Value| {
        for one in value["oneOf"].as_array().unwrap() {
            let named = one["properties"].as_object().and_then(|fields| fields.keys().next().cloned());
            let words = one["enum"].as_array().cloned().unwrap_or_default().into_iter();
            let words = words.chain(Some(one["const"].clone()).filter(Value::is_string));
            let words = words.map(|word| format!("{above}={}", word.as_str().unwrap()));
            let wanted = named.map(|name| format!("{above}.{name}")).into_iter().chain(words);
            missing.extend(wanted.filter(|wanted| !shown.contains(wanted)));
        }
    };
    let of = |name: &str| &schema["$defs"][name]["properties"][name]["properties"];
    look_for(".return.outcome", &schema["$defs"]["outcome"]);
    look_for(".return.outcome.ok.saw", &schema["$defs"]["saw"]);
    look_for(".resync.what", &of("resync")["what"]);
    look_for(".wire.what", &of("wire")["what"]);
    let reply = &of("wire")["what"]["oneOf"][3]["properties"]["reply"];
    look_for(".wire.what.reply.kind", &reply["properties"]["kind"]);
    look_for(".final.reader", &of("final")["reader"]);
    look_for(".final.found", &of("final")["found"]);
    for event in schema["$defs"]["entry"]["properties"]["e"]["oneOf"].as_array().unwrap() {
        let name = event["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        missing.extend(Some(format!(".{name}")).filter(|name| !shown.contains(name)));
    }
    let kinds = schema["$defs"]["kind"]["enum"].as_array().unwrap().iter();
    let kinds = kinds.map(|kind| format!(".invoke.op={}", kind.as_str().unwrap()));
    missing.extend(kinds.filter(|kind| !shown.contains(kind)));
    assert!(missing.is_empty(), "docs/history.md lacks {missing:?}");
}

#[test]
fn every_line_of_a_real_history_is_valid() {
    let whole = jsonschema::draft202012::new(&schema()).unwrap();
    for scenario in ["resync/redis-killed.toml", "answers/reply-lost.toml", "answers/value-corrupted.toml"] {
        text(&real(scenario, 3)).lines().for_each(|line| valid(&whole, line));
    }
}

#[test]
fn what_the_program_refuses_the_schema_refuses_too() {
    let whole = jsonschema::draft202012::new(&schema()).unwrap();
    let head = examples().lines().next().unwrap().to_owned();
    for line in [
        head.replace("\"seed\":7,", ""),
        head.replace("\"seed\":7,", "\"seed\":-7,"),
        head.replace("\"seed\":7,", "\"seed\":7,\"more\":1,"),
        head.replace("\"instances\":2", "\"instances\":65"),
        head.replace("\"schema\":1", "\"schema\":2"),
        head.replace("\"ttl\",", "\"tl\","),
    ] {
        assert!(!whole.is_valid(&serde_json::from_str(&line).unwrap()), "{line}: the schema takes it");
        assert!(read(line.as_bytes()).is_err(), "{line}: the program takes it");
    }
    for line in [
        r#"{}"#,
        r#"{"t":1}"#,
        r#"{"t":-1,"e":{"phase":{"name":"x"}}}"#,
        r#"{"t":1.5,"e":{"phase":{"name":"x"}}}"#,
        r#"{"t":1,"e":{"phase":{"name":"x"}},"more":1}"#,
        r#"{"t":1,"e":{"phase":{"nam":"x"}}}"#,
        r#"{"t":1,"e":{"phasis":{"name":"x"}}}"#,
        r#"{"t":1,"e":{"phase":{"name":"x"},"mode":{"instance":0,"to":"local"}}}"#,
        r#"{"t":1,"e":{"mode":{"instance":70000,"to":"local"}}}"#,
        r#"{"t":1,"e":{"breaker":{"instance":0,"from":"open","to":"half_open"}}}"#,
        r#"{"t":1,"e":{"return":{"id":1,"outcome":{"ok":{"served_by":"disk","saw":"done"}}}}}"#,
        r#"{"t":1,"e":{"return":{"id":1,"outcome":{"failed":{"code":"x"}}}}}"#,
        r#"{"t":1,"e":{"invoke":{"id":1,"instance":0,"op":"get","session":"17","write":null,"ttl_ms":null,"due":1}}}"#,
        r#"{"t":1,"e":{"invoke":{"id":1,"instance":0,"op":"got","session":"s17","write":null,"ttl_ms":null,"due":1}}}"#,
        r#"{"t":1,"e":{"invoke":{"id":1,"instance":0,"op":"get","session":"s17","write":"0_1","ttl_ms":null,"due":1}}}"#,
        r#"{"t":1,"e":{"sample":{"instance":0,"what":{"durty":1}}}}"#,
        r#"{"t":1,"e":{"final":{"reader":"me","session":"s0","found":{"value":null}}}}"#,
    ] {
        assert!(!whole.is_valid(&serde_json::from_str(line).unwrap()), "{line}: the schema takes it");
        assert!(serde_json::from_str::<Entry>(line).is_err(), "{line}: the program takes it");
    }
}

#[test]
fn a_history_that_is_read_entry_by_entry_is_judged_as_one_that_is_held() {
    let mut history = real("ttl/kept-on-update.toml", 7);
    // Nothing can keep to this, so there are witnesses.
    history.head.rules.response_within = std::time::Duration::ZERO;
    history.head.rules.clock_slack = std::time::Duration::ZERO;
    let held = RunResult::new(&history, &judge(&history));
    assert!(held.findings.iter().any(|finding| !finding.witness.is_empty()), "{held:#?}");

    let mut reader = EntryReader::new(BufReader::new(Cursor::new(text(&history)))).unwrap();
    let head = reader.head().clone();
    let (mut gather, mut figures) = (Gather::new(&head), Figures::new(&head));
    for entry in reader.by_ref() {
        let entry = entry.unwrap();
        gather.take(&entry);
        figures.take(&entry);
    }
    let saved = reader.into_saved();
    for (place, entry) in history.entries.iter().enumerate().step_by(97) {
        assert_eq!(saved.entry(place).unwrap(), *entry);
    }
    let index = gather.finish(&saved);
    let judgement = judge_index(&index);
    assert!(index.lost().is_none());
    assert_eq!(RunResult::counted(&head, figures, &judgement, || index.coverage()), held);
}

/// Every entry that is handed on of a history, and the words of the error, if there was one: line by line, and on all cores.
fn both_ways(text: &str) -> [(Vec<Entry>, Option<String>); 2] {
    let mut by_line = (Vec::new(), None);
    for entry in EntryReader::new(text.as_bytes()).unwrap() {
        match entry {
            Ok(entry) => by_line.0.push(entry),
            Err(error) => by_line.1 = Some(error.to_string()),
        }
    }
    let (mut entries, mut reader) = (Vec::new(), EntryReader::new(text.as_bytes()).unwrap());
    let mut bytes = 0;
    let read = reader.each(|some, until| {
        assert!(until >= bytes, "progress goes on");
        bytes = until;
        entries.extend_from_slice(some);
    });
    assert!(read.is_err() || bytes == text.len() as u64);
    // After an error nothing more is read.
    assert!(read.is_ok() || reader.next().is_none());
    [by_line, (entries, read.err().map(|error| error.to_string()))]
}

#[test]
fn a_history_is_read_on_all_cores_as_it_is_line_by_line() {
    let examples = examples();
    let head = examples.lines().next().unwrap();
    let line = |t: usize| format!("{{\"t\":{t},\"e\":{{\"phase\":{{\"name\":\"{t}\"}}}}}}\n");
    for count in [0, 1, 1023, 1024, 1025, 2048, 20_000] {
        let whole = format!("{head}\n{}", (0..count).map(line).collect::<String>());
        let [by_line, on_all_cores] = both_ways(&whole);
        assert_eq!(by_line.0.len(), count);
        assert_eq!(on_all_cores, by_line, "{count} entries");
        // Wherever something is wrong, it is the first wrong thing that is told.
        for place in [0, 700, 1023, 1024, 5_000, 19_999].into_iter().filter(|place| *place < count) {
            for wrong in ["{}\n".to_owned(), "\n".to_owned(), line(0).replace("\"0\"", "0"), line(0)] {
                let mut lines: Vec<String> = (1..=count).map(line).collect();
                lines[place] = wrong;
                lines.push("no entry\n".to_owned());
                let [by_line, on_all_cores] = both_ways(&format!("{head}\n{}", lines.concat()));
                assert!(by_line.1.is_some());
                assert_eq!(on_all_cores, by_line, "wrong at {place} of {count}");
            }
            let cut_off = &whole[..whole.len() - 5];
            let [by_line, on_all_cores] = both_ways(cut_off);
            assert!(by_line.1.as_ref().is_some_and(|words| words.contains("cut off")), "{by_line:?}");
            assert_eq!(on_all_cores, by_line);
        }
    }
}

#[test]
fn a_history_that_changes_while_it_is_judged_is_told() {
    let mut history = real("ttl/kept-on-update.toml", 7);
    history.head.rules.response_within = std::time::Duration::ZERO;
    history.head.rules.clock_slack = std::time::Duration::ZERO;
    let mut gather = Gather::new(&history.head);
    history.entries.iter().for_each(|entry| gather.take(entry));
    let emptied = History { head: history.head.clone(), entries: Vec::new() };
    let index: Index<'_> = gather.finish(&emptied);
    judge_index(&index);
    assert!(matches!(index.lost(), Some(HistoryError::Changed { .. })));
}

#[test]
fn what_is_no_history_is_told_with_its_line_and_what_mends_it() {
    let good = examples();
    let head = good.lines().next().unwrap();
    let last = format!("line {}", good.lines().count());
    let with = |line: &str| format!("{head}\n{line}\n");
    let cases: [(String, &[&str]); 17] = [
        (String::new(), &["the history is empty"]),
        (head[..200].to_owned(), &["line 1, column 200", "cut off"]),
        (good[..good.len() - 40].to_owned(), &[last.as_str(), "cut off"]),
        ("# notes\n".to_owned(), &["line 1, column 1", "no history of Squall", "squall run"]),
        ("{\n  \"schema\": 1\n}\n".to_owned(), &["line 1", "no history of Squall"]),
        ("{\"schema\":1}\n".to_owned(), &["missing field", "no history of Squall"]),
        ("{\"schema\":99,\"new\":1}\n".to_owned(), &["line 1", "schema 99", "newer"]),
        (head.replace("\"instances\":2", "\"instances\":1000000"), &["1000000 instances", "1 to 64"]),
        (head.replace("\"sessions\":2", "\"sessions\":99999999999"), &["99999999999 sessions"]),
        (head.replace("\"failure_rate\":0.5", "\"failure_rate\":-3"), &["line 1", "failure_rate` is -3"]),
        (head.replace("\"jitter\":0.2", "\"jitter\":1.5"), &["line 1", "jitter` is 1.5"]),
        (head.replace("\"to\":4000000000", "\"to\":5"), &["line 1", "\"steady\" is from 1000000000 to 5"]),
        (head.replace("\"check\":\"I8\"", "\"check\":\"I99\""), &["line 1", "\"I99\"", "no such check"]),
        (with("{\"t\":1,\"e\":{\"phase\":{\"name\":7}}}"), &["line 2, column ", "docs/history.md"]),
        (with(""), &["line 2", "docs/history.md"]),
        (
            with(
                "{\"t\":9,\"e\":{\"phase\":{\"name\":\"a\"}}}\n{\"t\":8,\"e\":{\"phase\":{\"name\":\"a\"}}}",
            ),
            &["line 3: time 8 is before 9"],
        ),
        (with("{\"t\":99999999999999999999,\"e\":{\"phase\":{\"name\":\"a\"}}}"), &["line 2"]),
    ];
    for (text, wanted) in cases {
        let error = read(text.as_bytes()).unwrap_err().to_string();
        assert!(wanted.iter().all(|words| error.contains(words)), "{error}\nlacks one of {wanted:?}");
    }
    let endless = std::io::Read::chain(head.as_bytes(), std::io::repeat(b'x'));
    let error = read(BufReader::new(endless)).unwrap_err();
    assert!(matches!(error, HistoryError::Long { line: 1 }), "{error}");
    let error = read(&b"\x1f\x8b\x08\x00"[..]).unwrap_err().to_string();
    assert!(error.contains("no history of Squall"), "{error}");
}

#[test]
fn the_head_survives_being_written_and_read() {
    let history = read(examples().as_bytes()).unwrap();
    let line = serde_json::to_string(&history.head).unwrap();
    assert_eq!(serde_json::from_str::<Head>(&line).unwrap(), history.head);
}

#[test]
fn a_password_is_in_no_history_and_in_no_report() {
    let (name, seed) = ("server/users-and-databases.toml", 7);
    let history = real(name, seed);
    let logins = |entry: &&Entry| serde_json::to_string(entry).unwrap().contains("\"AUTH\"");
    assert!(history.entries.iter().filter(logins).count() > 3, "they do log in");
    let wanted =
        scenario::Redis { user: Some("chat".to_owned()), password: true, database: 3, ..Default::default() };
    let password = Login::of(&wanted, seed).credentials().password.unwrap();
    let mut told = Vec::new();
    write(&history, &mut told).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let result = RunResult::new(&history, &judge(&history));
    let reports = Folder::open(folder.path()).unwrap();
    let run = reports.write_run(&result, Some(&history)).unwrap();
    reports.write_summary(std::slice::from_ref(&result)).unwrap();
    for place in [run.as_path(), reports.root()] {
        let files =
            fs::read_dir(place).unwrap().map(|file| file.unwrap().path()).filter(|file| file.is_file());
        files.for_each(|file| told.extend(fs::read(file).unwrap()));
    }
    let told = format!("{} {result:?} {history:?}", String::from_utf8_lossy(&told));
    assert!(told.contains("user chat with a password, database 3"));
    assert!(!told.contains(&password));
}
