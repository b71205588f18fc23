//! No bytes whatever may bring the loader down.

use std::path::Path;

use proptest::prelude::*;
use squall::plan::Plan;
use squall::scenario::{Scenario, TEMPLATE};

const SHIPPED: [&str; 4] = [
    TEMPLATE,
    include_str!("../../scenarios/ragged/thin-and-sliced.toml"),
    include_str!("../../scenarios/reset/live-connections.toml"),
    include_str!("../../scenarios/breaker/opens-and-closes.toml"),
];

/// Texts that have brought loaders down.
const NASTY: [&str; 40] = [
    "\"\"",
    "\"0s\"",
    "\"99999999999h\"",
    "\"18446744073709551615s1000ms\"",
    "\"-1s\"",
    "\"NaN/s\"",
    "\"1e300/s\"",
    "\"0/s\"",
    "nan",
    "-inf",
    "1e300",
    "-1",
    "0",
    "18446744073709551616",
    "99999999999999999999999999999999999999999",
    "[]",
    "{}",
    "[[]]",
    "true",
    "1979-05-27T07:32:00Z",
    "\"instance-65536\"",
    "\"instance-1\"",
    "\"../..\"",
    "\"\\u0000\"",
    "\"\"\"",
    "[[phase]]",
    "[phase]",
    "[[phase.faults]]",
    "[load]",
    "[[load]]",
    "[client.breaker]",
    "inject.latency.delay = 5\n",
    "\"ü\"",
    "\u{feff}",
    "\r\n",
    "\t",
    "=",
    ".",
    "\"> 0\"",
    "'",
];

fn load(bytes: &[u8]) {
    match Scenario::parse("x", Path::new("x.toml"), bytes) {
        Ok(scenario) => {
            // Plans of long runs are only slow to draw.
            if scenario.load.operations(scenario.length()) < 10_000.0 {
                Plan::new(&scenario, 1);
            }
        }
        Err(error) => {
            assert!(!error.problems.is_empty());
            let told = error.to_string();
            assert!(told.starts_with("error: "));
            assert!(!told.contains(|c: char| c.is_control() && c != '\n'), "{told:?}");
        }
    }
}

/// A change of a text: what stands from one place to another gives way to something nasty.
fn change() -> impl Strategy<Value = (prop::sample::Index, usize, usize)> {
    (any::<prop::sample::Index>(), 0..30usize, 0..NASTY.len())
}

fn boundary(text: &str, mut index: usize) -> usize {
    while !text.is_char_boundary(index) {
        index += 1;
    }
    index
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes(bytes: Vec<u8>) {
        load(&bytes);
    }

    #[test]
    fn any_text(text in "([a-z.\\[\\]{}=\"'#, 0-9\n\\\\-]|\\PC){0,200}") {
        load(text.as_bytes());
    }

    #[test]
    fn a_scenario_with_parts_replaced(which in 0..SHIPPED.len(), changes in prop::collection::vec(change(), 1..4)) {
        let mut text = SHIPPED[which].to_owned();
        for (at, length, nasty) in changes {
            let from = boundary(&text, at.index(text.len()));
            let to = boundary(&text, (from + length).min(text.len()));
            text.replace_range(from..to, NASTY[nasty]);
        }
        load(text.as_bytes());
    }

    #[test]
    fn a_scenario_with_values_replaced(which in 0..SHIPPED.len(), changes in prop::collection::vec(change(), 1..4)) {
        let mut lines: Vec<String> = SHIPPED[which].lines().map(str::to_owned).collect();
        for (at, _, nasty) in changes {
            let line = &mut lines[at.index(SHIPPED[which].lines().count())];
            if let Some((key, _)) = line.split_once('=') {
                *line = format!("{key}= {}", NASTY[nasty]);
            }
        }
        load(lines.join("\n").as_bytes());
    }

    #[test]
    fn a_scenario_with_lines_in_another_order(which in 0..SHIPPED.len(), swaps in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 1..6)) {
        let mut lines: Vec<&str> = SHIPPED[which].lines().collect();
        for (one, other) in swaps {
            let (one, other) = (one.index(lines.len()), other.index(lines.len()));
            lines.swap(one, other);
        }
        load(lines.join("\r\n").as_bytes());
    }

    #[test]
    fn a_scenario_with_bytes_changed(which in 0..SHIPPED.len(), changes in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..4)) {
        let mut bytes = SHIPPED[which].as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        load(&bytes);
    }
}

/// What grows with the square of a file's size would not end here.
#[test]
fn large_files_are_read_or_refused() {
    let large = |part: &str| part.repeat(256 * 1024 / part.len());
    for part in [
        "[[phase]]\nname=1\n",
        "[",
        "a.b.c.d=1\n",
        "x",
        "a=\"",
        "[[phase]]\n[[phase.faults]]\nat=1\n",
        "{a={",
        "\n",
        "[a]\n",
    ] {
        load(large(part).as_bytes());
    }
    for part in ["1,", "[],", "\"x\","] {
        load(format!("origin = [{}]", large(part)).as_bytes());
    }
    let phase = "proves = \"x\"\n[[phase]]\nname = \"x\"\nfor = \"1s\"\n";
    load(format!("{phase}faults = [{}]", large("{inject=\"pause\"},")).as_bytes());
    load(format!("{phase}faults = [{{inject=\"pause\",on=[{}]}}]", large("\"instance-0\",")).as_bytes());
    load(format!("{phase}[[expect.breaker]]\nduring = \"{}\"\nsequence = []", large("x")).as_bytes());
    load(format!("{phase}faults = [{{inject=\"{}\"}}]", large("x")).as_bytes());
}
