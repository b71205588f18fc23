//! What every check made of every flaw: its verdict, and how much it judged. `judged.csv` has it, so that a check that comes to judge
//! less, or other things, is noticed though it still catches what it is for. The same seed gives the same run, so the same numbers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use libtest_mimic::Failed;
use serde::{Deserialize, Serialize};
use squall::check::{Judgement, Verdict};

/// A check's part in the judgement on a run with a flaw.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Row {
    flaw: String,
    check: String,
    verdict: String,
    judged: u64,
}

/// The rows of each flaw, as the file has them and as they were found.
pub(crate) struct Judged {
    written: BTreeMap<String, Vec<Row>>,
    found: Mutex<BTreeMap<String, Vec<Row>>>,
}

impl Judged {
    /// Reads the file.
    pub(crate) fn read() -> Result<Self, Failed> {
        let mut written: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        if path().exists() {
            for row in csv::Reader::from_path(path())?.deserialize() {
                let row: Row = row?;
                written.entry(row.flaw.clone()).or_default().push(row);
            }
        }
        Ok(Self { written, found: Mutex::default() })
    }

    /// Compares what the checks made of a run with `flaw` with what the file says.
    pub(crate) fn compare(&self, flaw: &str, judgement: &Judgement) -> Result<(), Failed> {
        let findings = judgement.findings.iter();
        let judged = findings.filter(|one| matches!(one.verdict, Verdict::Pass | Verdict::Fail));
        let rows: Vec<Row> = judged
            .map(|one| Row {
                flaw: flaw.to_owned(),
                check: one.check.clone(),
                verdict: format!("{:?}", one.verdict).to_lowercase(),
                judged: one.judged,
            })
            .collect();
        self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(flaw.to_owned(), rows.clone());
        let written = self.written.get(flaw).map(Vec::as_slice).unwrap_or_default();
        if update() || rows == written {
            return Ok(());
        }
        let lines = |rows: &[Row], others: &[Row], sign: char| -> String {
            let only = rows.iter().filter(|row| !others.contains(row));
            only.map(|row| format!("  {sign} {} {} {}\n", row.check, row.verdict, row.judged)).collect()
        };
        let (gone, new) = (lines(written, &rows, '-'), lines(&rows, written, '+'));
        let cure = "if that is meant, SQUALL_UPDATE=1 has this test write tests/flaws/judged.csv anew";
        Err(format!(
            "the checks made something else of it (check, verdict, how much was judged):\n{gone}{new}{cure}"
        )
        .into())
    }

    /// Writes what was found, where that was asked for; what was not run stays as it was.
    pub(crate) fn write(self) -> Result<(), Failed> {
        if !update() {
            return Ok(());
        }
        let mut rows = self.written;
        rows.extend(self.found.into_inner().unwrap_or_else(PoisonError::into_inner));
        let mut writer = csv::Writer::from_path(path())?;
        for row in rows.into_values().flatten() {
            writer.serialize(row)?;
        }
        Ok(writer.flush()?)
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/flaws/judged.csv")
}

/// Whether files are to be written anew.
pub(crate) fn update() -> bool {
    std::env::var("SQUALL_UPDATE").is_ok_and(|update| update == "1")
}
