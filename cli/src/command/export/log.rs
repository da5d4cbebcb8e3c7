//! `custody export log`: every log of the ledger as files, as C2SP tlog-tiles
//! says.
//!
//! ```text
//! checkpoint  manifest  tile/…                 the ledger's own log
//! <shard>/checkpoint  <shard>/tile/…           one for each shard
//! ```

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use custody_ledger::{Ledger, Published, ShardId};
use custody_proof::tiles::{TILE_WIDTH, TilePath};

use crate::args::Global;
use crate::config::Flag;
use crate::data_dir::DataDir;
use crate::error::{CommandError, Exit};
use crate::output::{count, items};

/// A tile holds so many levels of the tree: 256 is 2 to the 8th.
const LEVEL_BITS: u32 = 8;

/// Exports every log of the ledger as files
///
/// Checkpoints, tiles and entry bundles as C2SP tlog-tiles says: a directory
/// that any web server can serve and any client of transparency logs can
/// check. The entries are digests; nothing of a person is in it.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody export log --data /var/lib/custody --out log/

No server may have the data directory open: a running node serves the same
files over HTTP, at `listen.log`.")]
pub(super) struct Args {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The directory to write into. Files of an earlier export are replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let config = global
            .load(&[Flag {
                flag: "--data",
                key: "data_dir",
                value: self.data.as_ref().map(|dir| dir.display().to_string()),
            }])?
            .config;
        let data = DataDir::open_signed(&config)?;
        let written = export(&data.ledger, &self.out);
        data.close()?;
        let written = written?;
        writeln!(
            io::stderr(),
            "{} files of {} logs in {}",
            count(written.files),
            written.logs,
            self.out.display()
        )?;
        Ok(Exit::Done)
    }
}

struct Written {
    files: u64,
    logs: usize,
}

/// Writes all logs of one moment. A checkpoint comes after all that it signs,
/// and the ledger's last.
fn export(ledger: &Ledger, out: &Path) -> Result<Written, CommandError> {
    let signed = ledger.published().ok_or(CommandError::Unsigned)?;
    let logs: Vec<Log<'_>> = logs(&signed, out).collect();
    let total = logs.iter().map(|log| tiles(log.size).count() as u64).sum();
    let bar = items(Some(total), "tiles");
    let mut files = 0;
    for log in &logs {
        for path in tiles(log.size) {
            let bytes = read(ledger, log.shard, path)?;
            write(&log.dir.join(path.to_string()), &bytes)?;
            bar.inc(1);
            files += 1;
        }
        write(&log.dir.join("checkpoint"), log.note.as_bytes())?;
        files += 1;
        if log.shard.is_none() {
            write(&log.dir.join("manifest"), signed.manifest_text.as_bytes())?;
            files += 1;
        }
    }
    bar.finish_and_clear();
    Ok(Written {
        files,
        logs: logs.len(),
    })
}

/// One log: a shard's, or the ledger's own.
struct Log<'a> {
    shard: Option<ShardId>,
    dir: PathBuf,
    size: u64,
    note: &'a str,
}

/// The shards', then the ledger's own.
fn logs<'a>(signed: &'a Published, out: &'a Path) -> impl Iterator<Item = Log<'a>> {
    let shards = signed.shards.iter().map(move |(shard, signed)| Log {
        shard: Some(*shard),
        dir: out.join(shard.to_string()),
        size: signed.checkpoint.checkpoint.size,
        note: &signed.note,
    });
    shards.chain(std::iter::once(Log {
        shard: None,
        dir: out.to_owned(),
        size: signed.sequence + 1,
        note: &signed.note,
    }))
}

/// Every tile and entry bundle of a log of this size: the full ones, and of
/// each level the one that is not.
fn tiles(size: u64) -> impl Iterator<Item = TilePath> {
    let of_level = |hashes: u64| {
        let full = hashes / u64::from(TILE_WIDTH);
        // Less than the width of a tile.
        let rest = (hashes % u64::from(TILE_WIDTH)) as u16;
        let partial = (rest > 0).then_some((full, rest));
        (0..full).map(|index| (index, TILE_WIDTH)).chain(partial)
    };
    let entries = of_level(size).map(|(index, width)| TilePath::Entries { index, width });
    let levels = (0u8..=7).take_while(move |level| size >> (u32::from(*level) * LEVEL_BITS) > 0);
    let hashes = levels.flat_map(move |level| {
        of_level(size >> (u32::from(level) * LEVEL_BITS)).map(move |(index, width)| {
            TilePath::Hashes {
                level,
                index,
                width,
            }
        })
    });
    entries.chain(hashes)
}

fn read(ledger: &Ledger, log: Option<ShardId>, path: TilePath) -> Result<Vec<u8>, CommandError> {
    let read = match path {
        TilePath::Hashes {
            level,
            index,
            width,
        } => ledger.tile(log, level, index, width),
        TilePath::Entries { index, width } => ledger.entry_bundle(log, index, width),
    };
    read.map_err(|error| error.to_string())
        .and_then(|bytes| bytes.ok_or_else(|| format!("{path} is not there")))
        .map_err(|reason| CommandError::Stopped {
            what: "exporting the log",
            reason,
        })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    let dir = path.parent().unwrap_or(path);
    fs::create_dir_all(dir)
        .and_then(|()| fs::write(path, bytes))
        .map_err(|source| CommandError::Write {
            path: path.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(size: u64) -> Vec<String> {
        tiles(size).map(|path| path.to_string()).collect()
    }

    #[test]
    fn a_log_has_the_tiles_that_the_format_says() {
        assert!(paths(0).is_empty());
        assert_eq!(paths(1), ["tile/entries/000.p/1", "tile/0/000.p/1"]);
        assert_eq!(
            paths(256),
            ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]
        );
        assert_eq!(
            paths(257),
            [
                "tile/entries/000",
                "tile/entries/001.p/1",
                "tile/0/000",
                "tile/0/001.p/1",
                "tile/1/000.p/1",
            ]
        );
        // The example of the format: a tree of 70,000 has 256 + 1 partial
        // tiles of level 1, one of level 2.
        let large = paths(70_000);
        assert_eq!(large.len(), 274 + 274 + 2 + 1);
        for path in [
            "tile/0/273.p/112",
            "tile/1/000",
            "tile/1/001.p/17",
            "tile/2/000.p/1",
        ] {
            assert!(large.iter().any(|known| known == path), "{path}");
        }
    }
}
