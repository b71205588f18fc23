//! `result.json`: one run, complete.

use thiserror::Error;

use super::result::{RESULT_SCHEMA, RunResult};

/// Why a result could not be written or read.
#[derive(Debug, Error)]
pub enum JsonError {
    /// The text is not what the schema says.
    #[error("not a result: {0}")]
    Form(#[from] serde_json::Error),
    /// It was written by another version.
    #[error(
        "the result has schema {found}, this program reads {RESULT_SCHEMA}; use the program that wrote it, or `squall recheck` on its history"
    )]
    Schema {
        /// The version found.
        found: u64,
    },
}

/// `result` as JSON, with a line break at its end.
pub fn result_json(result: &RunResult) -> Result<String, JsonError> {
    let mut text = serde_json::to_string_pretty(result)?;
    text.push('\n');
    Ok(text)
}

/// Reads what [`result_json`] wrote.
pub fn read_result(text: &str) -> Result<RunResult, JsonError> {
    let value: serde_json::Value = serde_json::from_str(text)?;
    match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(found) if found != u64::from(RESULT_SCHEMA) => Err(JsonError::Schema { found }),
        Some(_) | None => Ok(serde_json::from_value(value)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_result_reads_as_it_was_written() {
        let result = samples::failed();
        assert_eq!(read_result(&result_json(&result).unwrap()).unwrap(), result);
    }

    #[test]
    fn the_form_is_stable() {
        let mut result = samples::failed();
        result.findings.truncate(1);
        result.findings[0].witness.truncate(1);
        result.phases.truncate(1);
        result.breakers.remove(&0);
        result.operations.remove(&crate::load::Kind::Update);
        insta::assert_snapshot!(serde_json::to_string(&result).unwrap().replace(",\"", ",\n\""), @r#"
        {"schema":1,
        "scenario":"resync/redis-killed",
        "proves":"A Redis that is killed costs no acknowledged write",
        "origin":["chatbot: persistence across failures"],
        "world":"containers",
        "notes":["redis:7.0.15",
        "by the bridge address"],
        "subject":"squall-client 0.1.0",
        "ignored":[],
        "seed":7,
        "verdict":"fail",
        "trouble":null,
        "findings":[{"check":"I1",
        "title":"no lost write",
        "verdict":"fail",
        "says":"The write 0-1 to s17 was acknowledged by Redis at 3.003 s. At the end Redis has no such key.",
        "judged":812,
        "broken":3,
        "witness":[{"t":3001000000,
        "e":{"invoke":{"id":4,
        "instance":0,
        "op":"update",
        "session":"s17",
        "write":"0-1",
        "ttl_ms":null,
        "due":3000000000}}}],
        "waived":null}],
        "phases":[{"name":"setup",
        "from":0,
        "to":1000000000}],
        "planned_ms":16000,
        "took_ms":16200,
        "operations":{"get":{"invoked":3,
        "ok_redis":0,
        "ok_local":1,
        "failed":{"refused":1},
        "unknown":{},
        "unfinished":1,
        "latency":{"p50_us":0,
        "p90_us":1000,
        "p99_us":1000,
        "p999_us":1000,
        "max_us":1000}}},
        "breakers":{"1":[{"at_ms":0,
        "state":"closed"}]},
        "replay":"squall run scenarios/resync/redis-killed.toml --world containers --seed 7",
        "coverage":{"kill/closed/redis/update":1,
        "kill/open/local/get":2}}
        "#);
    }

    #[test]
    fn another_schema_is_refused_by_name() {
        let text = result_json(&samples::passed()).unwrap().replacen("\"schema\": 1", "\"schema\": 2", 1);
        assert!(read_result(&text).unwrap_err().to_string().contains("schema 2"));
        assert!(read_result("{}").is_err());
    }
}
