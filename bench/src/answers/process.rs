//! What this process and the machine use (proc(5)).

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result};

/// A line of `/proc/self/status`, in MiB: `VmRSS`, `VmHWM`, `RssAnon`.
pub(crate) fn status_mib(name: &str) -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let kib: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .and_then(|rest| rest.split_whitespace().next())
        .context("no such line in /proc/self/status")?
        .parse()?;
    Ok(kib / 1024.0)
}

/// Begins a new peak of resident memory, where the kernel lets us.
pub(crate) fn reset_peak() {
    if let Err(error) = std::fs::write("/proc/self/clear_refs", "5") {
        eprintln!("the peak of memory counts what came before, too: {error}");
    }
}

/// Load averages over 1, 5 and 15 minutes.
pub(crate) fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let three: Vec<&str> = text.split_whitespace().take(3).collect();
    three.join(" ")
}

/// Bytes allocated on disk below a directory.
pub(crate) fn disk_bytes(dir: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        // Stores remove files while we look.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        bytes += if metadata.is_dir() {
            disk_bytes(&entry.path())?
        } else {
            metadata.blocks() * 512
        };
    }
    Ok(bytes)
}

/// Set for processes that are to end with the one that started them.
pub(crate) const OWNED: &str = "CUSTODY_BENCH_OWNED";

/// Where another process of this program started this one: ends it when its
/// standard input ends, which it does when the other one does.
pub(crate) fn end_with_parent() {
    if std::env::var_os(OWNED).is_none() {
        return;
    }
    std::thread::spawn(|| {
        let mut rest = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut rest);
        std::process::exit(1);
    });
}
