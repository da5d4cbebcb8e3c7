//! The table of figures: a line a question and number of clients.

use std::fmt;

use super::tally::Figures;

/// The heading of the columns.
pub(crate) fn head(beside: bool) -> String {
    let side = format!("{:>7} {:>9} {:>9} {:>9}", "answers", "p50", "p99", "max");
    let mut text = format!("{:<28} {:>7}  {:<38}", "", "clients", "custody");
    if beside {
        text += &format!("  {:<38}  postgresql to custody", "postgresql");
    }
    text += &format!("\n{:<28} {:>7}  {side}", "question", "");
    if beside {
        text += &format!("  {side}  {:>7} {:>7}", "p50", "p99");
    }
    text
}

/// What the sides took for one question.
pub(crate) struct Line<'a>(pub(crate) &'a [Figures]);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(ours) = self.0.first() else {
            return Ok(());
        };
        write!(f, "{:<28} {:>7}", ours.question, ours.clients)?;
        for side in self.0 {
            match &side.failure {
                Some(reason) if side.answers == 0 => {
                    let reason: String = reason.chars().take(37).collect();
                    write!(f, "  {reason:<37}")?;
                }
                _ => write!(
                    f,
                    "  {:>7} {:>9.2} {:>9.2} {:>9.2}",
                    side.answers, side.p50_ms, side.p99_ms, side.max_ms
                )?,
            }
        }
        if let [ours, theirs] = self.0
            && ours.answers > 0
            && theirs.answers > 0
        {
            let ratio = |ours: f64, theirs: f64| theirs / ours.max(0.001);
            write!(
                f,
                "  {:>6.1}× {:>6.1}×",
                ratio(ours.p50_ms, theirs.p50_ms),
                ratio(ours.p99_ms, theirs.p99_ms)
            )?;
        }
        for side in self.0 {
            if let (Some(p50), Some(p99)) = (side.first_row_p50_ms, side.first_row_p99_ms) {
                write!(
                    f,
                    "\n{:<28} {:>7}  {:<10} {:>9.0} rows/s, first row p50 {p50:.2}, p99 {p99:.2}",
                    "", "", side.side, side.rows_per_s
                )?;
            }
            if let Some(reason) = &side.failure
                && side.answers > 0
            {
                write!(f, "\n{:<28} {:>7}  {} stopped: {reason}", "", "", side.side)?;
            }
        }
        Ok(())
    }
}
