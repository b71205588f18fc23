//! The protocol's document, its schema and its code say the same.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use jsonschema::Validator;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use squall::history::{SessionId, Topic, Write};
use squall::load::{Through, value};
use squall::subject::process::message::{Ask, CAPABILITIES, Line, Op};
use squall_client::{Profile, Settings};

fn document(name: &str) -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs");
    std::fs::read_to_string(docs.join(name)).unwrap()
}

fn schema() -> Value {
    serde_json::from_str(&document("protocol.schema.json")).unwrap()
}

/// A validator for one part of the schema, such as `request`.
fn part(name: &str) -> Validator {
    let mut whole = schema();
    whole.as_object_mut().unwrap().remove("oneOf");
    whole["$ref"] = json!(format!("#/$defs/{name}"));
    jsonschema::draft202012::new(&whole).unwrap()
}

fn valid(validator: &Validator, line: &str) {
    let message: Value = serde_json::from_str(line).unwrap();
    let wrong: Vec<String> = validator.iter_errors(&message).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{line}: {wrong:?}");
}

/// The document's lines that begin with `mark`.
fn examples(mark: &str) -> Vec<String> {
    let text = document("protocol.md");
    let lines = text.lines().filter_map(|line| line.strip_prefix(mark));
    let found: Vec<String> = lines.map(str::to_owned).collect();
    assert!(found.len() > 9, "only {} examples with {mark}: are they still written as before?", found.len());
    found
}

#[test]
fn the_schema_is_one() {
    jsonschema::draft202012::meta::validate(&schema()).unwrap();
}

#[test]
fn every_example_is_valid_and_is_read_by_the_program() {
    let (request, answer, event, whole) =
        (part("request"), part("answer"), part("event"), jsonschema::draft202012::new(&schema()).unwrap());
    for line in examples("-> ") {
        valid(&request, &line);
        valid(&whole, &line);
    }
    for line in examples("<- ") {
        valid(&whole, &line);
        match Line::read(line.as_bytes()) {
            Ok(Line::Answer { .. }) => valid(&answer, &line),
            Ok(Line::Event(_)) => valid(&event, &line),
            Err(wrong) => panic!("{line}: {wrong}"),
        }
    }
}

#[test]
fn every_message_of_the_program_is_valid() {
    let request = part("request");
    let session = SessionId(17);
    let bytes = value::value(Write { instance: 0, number: 1 }, session, 200);
    let value: Box<RawValue> = serde_json::from_slice(&bytes).unwrap();
    let mut settings = vec![Settings::default()];
    settings.extend(Profile::ALL.map(Profile::settings));
    for settings in settings {
        let settings = &serde_json::to_value(settings).unwrap();
        let (instance, redis) = ("instance-0", "rediss://127.0.0.1:1/0");
        for (through, encrypted) in Through::ALL.into_iter().flat_map(|each| [(each, false), (each, true)]) {
            for ca in [None, Some(Path::new("/run/ca.pem"))] {
                let disk = ca.map(|_| Path::new("/run/disk"));
                let port = ca.map(|_| ("REDIS_PORT", "7000".to_owned()));
                let environment = port.into_iter().collect();
                let init = Op::Init { instance, redis, ca, settings, environment, through, encrypted, disk };
                let line = Ask { id: 1, op: init }.line().unwrap();
                valid(&request, &line);
                assert_eq!(line.contains("\"through\""), through != Through::Sessions, "{line}");
                assert_eq!(line.contains("\"encrypted\":true"), encrypted, "{line}");
                let variables = line.contains("\"environment\":{\"REDIS_PORT\":\"7000\"}");
                assert_eq!(variables, ca.is_some(), "{line}");
                assert_eq!(line.contains("\"disk\":\"/run/disk\""), disk.is_some(), "{line}");
            }
        }
    }
    for op in [
        Op::Create { session, value: &value, ttl_ms: 1 },
        Op::Get { session },
        Op::Update { session, value: &value },
        Op::Touch { session, ttl_ms: 1 },
        Op::Destroy { session },
        Op::Ttl { session },
        Op::ReadMany { sessions: &[session, SessionId(18)] },
        Op::Clear,
        Op::Tell { of: Topic::Metrics },
        Op::Tell { of: Topic::Log },
        Op::Tell { of: Topic::Health },
        Op::Tell { of: Topic::Settings },
        Op::Tell { of: Topic::Sessions },
        Op::Shutdown,
    ] {
        valid(&request, &Ask { id: u64::MAX, op }.line().unwrap());
    }
}

#[test]
fn what_the_program_refuses_the_schema_refuses_too() {
    let whole = jsonschema::draft202012::new(&schema()).unwrap();
    for line in [
        r#"{}"#,
        r#"[1]"#,
        r#"{"id":1}"#,
        r#"{"id":"1","ok":{}}"#,
        r#"{"id":1,"event":"ready"}"#,
        r#"{"id":1,"ok":{},"error":{"code":"x"}}"#,
        r#"{"id":1,"ok":{},"more":1}"#,
        r#"{"id":1,"ok":null}"#,
        r#"{"id":1,"error":{"definite":true}}"#,
        r#"{"id":1,"error":{"code":"x","definit":true}}"#,
        r#"{"event":"braker","from":"closed","to":"open"}"#,
        r#"{"event":"breaker","to":"open"}"#,
        r#"{"event":"breaker","from":"closed","to":"half_open"}"#,
        r#"{"event":"mode","to":"local","why":1}"#,
        r#"{"event":"resync","what":"began","sessions":1}"#,
        r#"{"event":"sample","dirty":-1}"#,
    ] {
        let message: Value = serde_json::from_str(line).unwrap();
        assert!(!whole.is_valid(&message), "{line}: the schema takes it");
        assert!(Line::read(line.as_bytes()).is_err(), "{line}: the program takes it");
    }
}

#[test]
fn schema_and_document_know_every_capability() {
    let names: Vec<Value> = CAPABILITIES.iter().map(|(name, _)| json!(name)).collect();
    assert_eq!(schema()["$defs"]["hello"]["properties"]["can"]["items"]["enum"], json!(names));
    let text = document("protocol.md");
    for (name, _) in CAPABILITIES {
        assert!(text.contains(&format!("| `{name}` |")), "docs/protocol.md lacks a row for {name}");
    }
}
