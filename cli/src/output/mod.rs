//! What people and programs read on standard output.

mod answer;
mod consultations;
mod erasure;
mod findings;
mod labels;
mod moment;
mod progress;
mod recipients;
mod requests;
mod summary;
mod table;
mod timeline;
mod transfers;
mod watched;
mod words;

pub use answer::{Answer, Rendering, write_answer};
pub use consultations::Consultations;
pub(crate) use erasure::{write_erasure, write_out_of_reach};
pub use labels::{bytes, count, counted, country, term};
pub(crate) use labels::{party, words};
pub use moment::{Zone, parse_moment};
pub use progress::{items, sized, spinner};
pub(crate) use table::paint_outcome;
pub use table::{Look, Sheet};
pub(crate) use timeline::what;
pub use watched::write_line as write_watched;
pub(crate) use words::write_words;

use std::io::{self, IsTerminal, Write};

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For spreadsheets.
    Csv,
}

impl Format {
    /// `Table` on a terminal, `Json` in a pipe or file.
    pub fn or_detected(given: Option<Self>) -> Self {
        given.unwrap_or(if io::stdout().is_terminal() {
            Self::Table
        } else {
            Self::Json
        })
    }
}

/// Writes a value as JSON and a line feed.
///
/// # Errors
/// Where `out` cannot be written.
pub fn write_json(out: &mut dyn Write, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}
