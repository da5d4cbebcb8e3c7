//! Rows and columns, as a table for people or as CSV.

use std::io::{self, IsTerminal, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ContentArrangement, Table, TableComponent,
};

/// How wide and how colourful a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Columns of the terminal; `None`: as wide as the content.
    pub width: Option<u16>,
    /// Whether colours are used.
    pub colour: bool,
}

impl Look {
    /// What standard output is: the terminal's width and colours, or plain
    /// text as wide as it needs to be. `NO_COLOR` is honoured.
    pub fn detected() -> Self {
        let terminal = io::stdout().is_terminal();
        Self {
            width: terminal
                .then(|| Table::new().width())
                .flatten()
                .filter(|&width| width > 0),
            colour: terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }
}

/// Columns and rows of text.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    headers: Vec<String>,
    numbers: Vec<usize>,
    rows: Vec<Vec<String>>,
}

impl Sheet {
    /// An empty sheet.
    pub fn new<T: Into<String>>(headers: impl IntoIterator<Item = T>) -> Self {
        Self {
            headers: headers.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Sets a column, from 0, to the right.
    pub fn number(mut self, column: usize) -> Self {
        self.numbers.push(column);
        self
    }

    /// Adds a row.
    pub fn push<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes a table with a head, a line under it, and no other lines.
    ///
    /// # Errors
    /// Where `out` cannot be written.
    pub fn write_table(&self, out: &mut dyn Write, look: Look) -> io::Result<()> {
        let mut table = self.table(look);
        table.set_style(TableComponent::HeaderLines, '─');
        table.set_style(TableComponent::MiddleHeaderIntersections, '─');
        table.set_header(self.headers.iter().map(|header| {
            let cell = Cell::new(header);
            if look.colour {
                cell.add_attribute(Attribute::Bold)
            } else {
                cell
            }
        }));
        write_trimmed(out, &table)
    }

    /// Writes the rows as `name  value`, without a head.
    ///
    /// # Errors
    /// Where `out` cannot be written.
    pub fn write_list(&self, out: &mut dyn Write, look: Look) -> io::Result<()> {
        write_trimmed(out, &self.table(look))
    }

    fn table(&self, look: Look) -> Table {
        let mut table = Table::new();
        table.load_preset(NOTHING);
        match look.width {
            Some(width) => {
                table.set_content_arrangement(ContentArrangement::Dynamic);
                table.set_width(width);
            }
            None => {
                table.set_content_arrangement(ContentArrangement::Disabled);
            }
        }
        if look.colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        for row in &self.rows {
            table.add_row(row.iter().map(|text| {
                let shown = printable(text);
                match colour_of(text).filter(|_| look.colour) {
                    Some(colour) => Cell::new(shown).fg(colour),
                    None => Cell::new(shown),
                }
            }));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 1));
        }
        for &column in &self.numbers {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }

    /// Writes RFC 4180 CSV with a head.
    ///
    /// # Errors
    /// Where `out` cannot be written.
    pub fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut csv = csv::Writer::from_writer(out);
        csv.write_record(&self.headers).map_err(io::Error::other)?;
        for row in &self.rows {
            csv.write_record(row.iter().map(|text| inert(text)))
                .map_err(io::Error::other)?;
        }
        csv.flush()
    }
}

/// Lines without the blanks that the layout leaves at their ends.
fn write_trimmed(out: &mut dyn Write, table: &Table) -> io::Result<()> {
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Text of a producer must not move the cursor or write to the clipboard of
/// the terminal that it is shown on.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' {
                '\u{FFFD}'
            } else {
                c
            }
        })
        .collect()
}

/// Spreadsheets take a cell that begins like this for a formula; with an
/// apostrophe it is text (OWASP, "CSV Injection").
fn inert(text: &str) -> String {
    let number = text.parse::<f64>().is_ok();
    if !number && text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// An outcome in its colour, as tables have it.
pub(crate) fn paint_outcome(text: &str, look: Look) -> String {
    let code = match colour_of(text).filter(|_| look.colour) {
        Some(Color::Red) => 31,
        Some(Color::Yellow) => 33,
        Some(Color::Green) => 32,
        Some(_) => 36,
        None => return text.to_owned(),
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

fn colour_of(text: &str) -> Option<Color> {
    match text.split([' ', ':', '\n']).next()? {
        "violation" | "forbidden" | "overdue" => Some(Color::Red),
        "gap" | "stricter" => Some(Color::Yellow),
        "conforms" | "permitted" => Some(Color::Green),
        "suppressed" => Some(Color::Cyan),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look {
        width: Some(30),
        colour: false,
    };

    fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn sheet() -> Sheet {
        let mut sheet = Sheet::new(["Recipient", "Events"]).number(1);
        sheet.push(["A parcel service with a long name", "12"]);
        sheet.push(["DHL", "3"]);
        sheet
    }

    #[test]
    fn a_table_keeps_to_the_width() {
        let shown = text(|out| sheet().write_table(out, PLAIN));
        assert_eq!(
            shown,
            "Recipient              Events\n\
             ──────────────────────────────\n\
             A parcel service with      12\n\
             a long name\n\
             DHL                         3\n"
        );
        assert!(
            shown.lines().all(|line| line.chars().count() <= 30),
            "{shown}"
        );
    }

    #[test]
    fn a_pipe_gets_whole_lines_and_no_colour() {
        let look = Look {
            width: None,
            colour: false,
        };
        let mut sheet = sheet();
        sheet.push(["violation", "1"]);
        let shown = text(|out| sheet.write_table(out, look));
        assert_eq!(shown.lines().count(), 5, "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown}");
    }

    #[test]
    fn a_terminal_gets_colours() {
        let look = Look {
            width: Some(40),
            colour: true,
        };
        let mut sheet = sheet();
        sheet.push(["violation: consent missing", "1"]);
        assert!(text(|out| sheet.write_table(out, look)).contains('\u{1b}'));
    }

    #[test]
    fn a_producers_text_cannot_steer_the_terminal() {
        let mut sheet = Sheet::new(["Note"]);
        sheet.push(["\u{1b}]52;c;AAAA\u{7}x\u{9b}31m"]);
        let shown = text(|out| sheet.write_table(out, PLAIN));
        assert!(
            shown.chars().all(|c| !c.is_control() || c == '\n'),
            "{shown:?}"
        );
    }

    #[test]
    fn a_producers_text_is_no_formula() {
        let mut sheet = Sheet::new(["Note", "Offset"]);
        sheet.push(["=HYPERLINK(\"http://x\")", "-1"]);
        let shown = text(|out| sheet.write_csv(out));
        assert_eq!(shown, "Note,Offset\n\"'=HYPERLINK(\"\"http://x\"\")\",-1\n");
    }
}
