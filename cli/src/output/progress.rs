//! Progress on standard error, where that is a terminal; silent elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over a known or unknown number of things.
pub fn items(total: Option<u64>, what: &'static str) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{prefix} {bar:30} {human_pos}/{human_len} {per_sec} {eta}",
        ),
        None => (
            ProgressBar::no_length(),
            "{prefix} {human_pos} {per_sec} {elapsed}",
        ),
    };
    styled(bar, template, what)
}

/// A bar over a number of bytes.
pub fn sized(total: u64, what: &'static str) -> ProgressBar {
    let template =
        "{prefix} {bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}";
    styled(ProgressBar::new(total), template, what)
}

/// Something that takes a while.
pub fn spinner(what: &'static str) -> ProgressBar {
    let bar = styled(
        ProgressBar::no_length(),
        "{spinner} {prefix} {elapsed}",
        what,
    );
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn styled(bar: ProgressBar, template: &str, what: &'static str) -> ProgressBar {
    // The templates above are fixed; should one be wrong, the plain bar does.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.with_prefix(what)
}
