//! The register as a process that erases has it: read once, then appended to.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::{HEADER, Line, RegisterError, begin, failed, format, read, whole_lines};

/// The register, with what it is known to have.
pub(in crate::erase) struct Register {
    path: PathBuf,
    known: Mutex<Known>,
}

struct Known {
    /// Of each line, what it says of whom.
    lines: HashSet<blake3::Hash>,
    /// Which file that was, and how long it was.
    inode: u64,
    bytes: u64,
}

impl Known {
    fn of(lines: &[Line], inode: u64, bytes: u64) -> Self {
        Self {
            lines: lines.iter().map(said).collect(),
            inode,
            bytes,
        }
    }
}

/// Stands for an erasure and its persons: on another day it is the same.
fn said(line: &Line) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&line.id.0);
    for subject in &line.subjects {
        hasher.update(subject);
    }
    hasher.finalize()
}

impl Register {
    /// Begins it where there is none, and reads it.
    pub(in crate::erase) fn open(path: &Path) -> Result<(Self, Vec<Line>), RegisterError> {
        begin(path)?;
        let lines = read(path)?;
        // It may end with a line that was cut off, which is not known to be there: so
        // it is read again before anything is added.
        let known = Known::of(&lines, 0, 0);
        let register = Self {
            path: path.to_owned(),
            known: Mutex::new(known),
        };
        Ok((register, lines))
    }

    /// Adds erasures, durably, where they are not there yet. A register that was
    /// there and is gone is not begun anew: it would name nobody of before.
    pub(in crate::erase) fn append(&self, lines: &[Line]) -> Result<(), RegisterError> {
        let mut known = self.known.lock();
        let add = |known: &mut Known| -> Result<(), RegisterError> {
            let failed = |doing| failed(doing, &self.path);
            let mut file = File::options()
                .read(true)
                .write(true)
                .open(&self.path)
                .map_err(failed("write"))?;
            let now = file.metadata().map_err(failed("read"))?;
            if (now.ino(), now.len()) != (known.inode, known.bytes) {
                let lines = read(&self.path)?;
                let bytes = cut(&mut file).map_err(failed("write"))?;
                *known = Known::of(&lines, now.ino(), bytes);
            }
            let mut text = String::new();
            if known.bytes == 0 {
                text.push_str(HEADER);
                text.push('\n');
            }
            let new = lines
                .iter()
                .filter(|line| !known.lines.contains(&said(line)));
            let new: Vec<&Line> = new.collect();
            if new.is_empty() {
                return Ok(());
            }
            for line in &new {
                text.push_str(&format(line));
                text.push('\n');
            }
            let at = SeekFrom::Start(known.bytes);
            file.seek(at)
                .and_then(|_| file.write_all(text.as_bytes()))
                .and_then(|()| file.sync_all())
                .map_err(failed("write"))?;
            known.bytes += text.len() as u64;
            known.lines.extend(new.into_iter().map(said));
            Ok(())
        };
        add(&mut known)
    }
}

/// Takes away a line that was cut off, by a crash or a full disk. How long the
/// file is now.
fn cut(file: &mut File) -> io::Result<u64> {
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    let whole = whole_lines(&text) as u64;
    file.set_len(whole)?;
    Ok(whole)
}
