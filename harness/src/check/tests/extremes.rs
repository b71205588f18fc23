//! Histories whose numbers were tampered with: whatever they say, they are refused or judged, and reported.

use rand::{Rng, RngExt as _};
use serde_json::Value;

use super::model::any_history;
use crate::check::judge;
use crate::history::{Entry, Head, History, read, write};
use crate::report::{Colour, RunResult, junit_xml, lines, summary_csv};
use crate::seed::fork;

const EXTREMES: [u64; 8] = [0, 1, 63, u16::MAX as u64, u32::MAX as u64, 1 << 53, i64::MAX as u64, u64::MAX];

/// Every number of a line.
fn numbers(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Number(_) => vec![value],
        Value::Array(values) => values.iter_mut().flat_map(numbers).collect(),
        Value::Object(fields) => fields.values_mut().flat_map(numbers).collect(),
        Value::Null | Value::Bool(_) | Value::String(_) => Vec::new(),
    }
}

/// The history's text, with a number of some lines made extreme; lines that nobody could read then stay as they were.
fn tampered(history: &History, random: &mut impl Rng) -> Vec<u8> {
    let mut text = Vec::new();
    write(history, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let share = random.random_range(0.01..1.0);
    let lines = text.lines().enumerate().map(|(line, text)| {
        if !random.random_bool(share) {
            return text.to_owned();
        }
        let mut value: Value = serde_json::from_str(text).unwrap();
        let mut numbers = numbers(&mut value);
        // The first number of an entry is its time, whose order the reader guards.
        let first = usize::from(line > 0);
        if numbers.len() > first {
            let place = random.random_range(first..numbers.len());
            *numbers[place] = EXTREMES[random.random_range(0..EXTREMES.len())].into();
        }
        let tampered = value.to_string();
        let readable = match line {
            0 => serde_json::from_str::<Head>(&tampered).is_ok(),
            _ => serde_json::from_str::<Entry>(&tampered).is_ok(),
        };
        if readable { tampered } else { text.to_owned() }
    });
    lines.collect::<Vec<_>>().join("\n").into_bytes()
}

#[test]
fn no_number_brings_a_judge_or_a_report_down() {
    let mut judged = 0;
    for seed in 0..300 {
        let random = &mut fork(seed, "extremes");
        let mut history = any_history(seed);
        let late = u64::MAX - history.entries.last().unwrap().t;
        for entry in &mut history.entries {
            entry.t = match seed % 3 {
                0 => entry.t,
                1 => entry.t + late,
                _ => 0,
            };
        }
        let Ok(history) = read(&tampered(&history, random)[..]) else { continue };
        let results = [RunResult::new(&history, &judge(&history))];
        assert!(!lines(&results, Colour::Off).is_empty());
        assert!(summary_csv(&results).is_ok() && junit_xml(&results).is_ok());
        judged += 1;
    }
    assert!(judged > 150, "only {judged} were judged");
}
