//! Reports: what people and machines read of a run. One file a format, each `&[RunResult]` in and text out, so a saved
//! history can be reported again without a run. Only [`Folder`] touches the disk.

mod coverage_csv;
mod coverage_text;
mod entry;
mod escape;
mod figures;
mod flaws_csv;
mod folder;
mod json;
mod junit;
mod result;
mod sometimes;
mod summary_csv;
mod text;

pub use coverage_csv::{CoverageError, coverage_csv};
pub use coverage_text::{coverage_text, percent};
pub use escape::visible;
pub use figures::{BreakerStep, Figures, Latency, Operations};
pub use flaws_csv::{FlawRow, FlawsError, flaws_csv, flaws_sum, flaws_table};
pub(crate) use folder::write_whole;
pub use folder::{Folder, ReportError};
pub use json::{JsonError, read_result, result_json};
pub use junit::{JunitError, junit_xml};
pub use result::{RESULT_SCHEMA, RunResult, Trouble, replay_command};
pub use sometimes::{Sometimes, sometimes, unmet};
pub use summary_csv::{SummaryError, summary_csv};
pub use text::{Colour, details, line, lines, total};

#[cfg(test)]
pub(crate) mod samples;
