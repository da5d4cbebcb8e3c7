//! The register of erasures beside the root key.
//!
//! A backup knows the persons who were erased after it was made. The register is
//! kept apart from what is backed up, so that whoever restores a backup can
//! erase them again before anything is served ([`replay_register`]).
//!
//! A text file that only grows. Its first line is `custody.erasures/v1`; each
//! line after it is an erasure that began, and ends with the first 16
//! hexadecimal digits of the BLAKE3 of what stands before it:
//!
//! ```text
//! <id> <generation> <day> <mark|keep> <reference>,<reference>,… <digest>
//! ```
//!
//! The generation is that of the root key before the erasure: a vault of it, or
//! of one before, may have the persons. The day is in days since 1970-01-01
//! UTC. What was written in part, at the end, was never said to be done.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use custody_vault::{EraseMark, Vault, VaultError};

use super::ErasureId;
use super::order::bytes16;
use crate::state::Reference;

const HEADER: &str = "custody.erasures/v1";

/// An erasure in the register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Names it.
    pub id: ErasureId,
    /// The generation of the root key before it.
    pub generation: u64,
    /// The day, days since 1970-01-01 UTC.
    pub day: i32,
    /// Whether identifiers were marked.
    pub mark: bool,
    /// The persons' references.
    pub subjects: Vec<Reference>,
}

/// The register failed.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// It cannot be read or written.
    #[error("cannot {doing} the register of erasures {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another file, or one that somebody changed.
    #[error("line {line} of the register of erasures {} cannot be read: restore it from its copy", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// The vault refused or failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// What [`replay_register`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Erasures in the register.
    pub erasures: u64,
    /// Those of which the vault still knew somebody.
    pub again: u64,
    /// Persons whose keys were destroyed now.
    pub persons: u64,
}

/// The register of a root key file: `<root key>.erasures`.
pub fn path_beside(root_key: &Path) -> PathBuf {
    let mut path = root_key.as_os_str().to_owned();
    path.push(".erasures");
    path.into()
}

/// Erases from a vault that was restored everybody whom the register names, and
/// marks as then. Erasures of one day are one change of the root key. The house
/// shard is told of those that it lacks when a pipeline with this register
/// starts.
///
/// # Errors
/// [`RegisterError::Io`] also where there is no register: then nobody can tell
/// who was erased since the backup was made.
pub fn replay_register(vault: &Vault, register: &Path) -> Result<Replayed, RegisterError> {
    let lines = read(register)?;
    let mut replayed = Replayed {
        erasures: lines.len() as u64,
        ..Replayed::default()
    };
    for same in lines.chunk_by(|a, b| (a.day, a.mark) == (b.day, b.mark)) {
        for line in same {
            let known = line.subjects.iter().map(|subject| vault.person(subject));
            for person in known {
                if person?.is_some() {
                    replayed.again += 1;
                    break;
                }
            }
        }
        let subjects: Vec<Reference> = same
            .iter()
            .flat_map(|line| &line.subjects)
            .copied()
            .collect();
        let erasing = vault.begin_erasing(&subjects)?;
        if let Some(first) = same.first()
            && erasing.persons() > 0
        {
            replayed.persons += erasing.erase(mark(first.mark, first.day))?.persons;
        }
    }
    Ok(replayed)
}

/// The mark of an erasure on this day, where there is to be one.
pub(super) fn mark(mark: bool, day: i32) -> Option<EraseMark> {
    mark.then(|| EraseMark {
        day,
        scope: String::new(),
    })
}

/// Begins a register that names nobody, durably; one that is there stays as it
/// is.
///
/// # Errors
/// [`RegisterError::Io`].
pub fn begin(path: &Path) -> Result<(), RegisterError> {
    let begun = File::options()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            file.write_all(HEADER.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()
        });
    match begun {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        begun => begun.map_err(failed("write", path)),
    }
}

/// Every erasure in the register, in order.
///
/// # Errors
/// [`RegisterError`] where it is not there or cannot be read.
pub fn read(path: &Path) -> Result<Vec<Line>, RegisterError> {
    let mut text = Vec::new();
    File::open(path)
        .and_then(|mut file| file.read_to_end(&mut text))
        .map_err(failed("read", path))?;
    let whole = whole_lines(&text);
    let mut lines = Vec::new();
    for (number, line) in text[..whole]
        .split_inclusive(|byte| *byte == b'\n')
        .enumerate()
    {
        let line = std::str::from_utf8(line)
            .ok()
            .and_then(|line| line.strip_suffix('\n'));
        let read = match line {
            Some(HEADER) if number == 0 => continue,
            Some(line) if number > 0 => parse(line),
            _ => None,
        };
        lines.push(read.ok_or_else(|| RegisterError::Damaged {
            path: path.to_owned(),
            line: number + 1,
        })?);
    }
    Ok(lines)
}

/// As [`read`]; nothing where there is no register yet.
pub(super) fn read_if_there(path: &Path) -> Result<Vec<Line>, RegisterError> {
    match read(path) {
        Err(RegisterError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(Vec::new())
        }
        read => read,
    }
}

/// Adds an erasure, durably, where it is not there yet.
pub(super) fn append(path: &Path, line: &Line) -> Result<(), RegisterError> {
    let is_same = |known: &Line| known.id == line.id && known.subjects == line.subjects;
    if read_if_there(path)?.iter().any(is_same) {
        return Ok(());
    }
    add(path, line).map_err(failed("write", path))
}

fn add(path: &Path, line: &Line) -> io::Result<()> {
    let is_new = !path.exists();
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    // A line that was cut off, by a crash or a full disk, goes.
    let whole = whole_lines(&text);
    file.set_len(whole as u64)?;
    file.seek(SeekFrom::Start(whole as u64))?;
    let mut written = String::new();
    if whole == 0 {
        written.push_str(HEADER);
        written.push('\n');
    }
    written.push_str(&format(line));
    written.push('\n');
    file.write_all(written.as_bytes())?;
    file.sync_all()?;
    if is_new {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        File::open(dir.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

fn failed<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> RegisterError + 'a {
    move |source| RegisterError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

/// Bytes up to the end of the last line.
fn whole_lines(text: &[u8]) -> usize {
    text.iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1)
}

fn format(line: &Line) -> String {
    let mut text = format!(
        "{} {} {} {} ",
        line.id,
        line.generation,
        line.day,
        if line.mark { "mark" } else { "keep" }
    );
    for (index, subject) in line.subjects.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // Writing to a string does not fail.
        let _ = write!(text, "{comma}{}", ErasureId(*subject));
    }
    let digest = digest(&text);
    text.push(' ');
    text.push_str(&digest);
    text
}

fn parse(line: &str) -> Option<Line> {
    let (said, digest_said) = line.rsplit_once(' ')?;
    if digest(said) != digest_said {
        return None;
    }
    let mut fields = said.split(' ');
    let read = Line {
        id: ErasureId(bytes16(fields.next()?)?),
        generation: fields.next()?.parse().ok()?,
        day: fields.next()?.parse().ok()?,
        mark: match fields.next()? {
            "mark" => true,
            "keep" => false,
            _ => return None,
        },
        subjects: fields
            .next()?
            .split(',')
            .map(bytes16)
            .collect::<Option<_>>()?,
    };
    fields.next().is_none().then_some(read)
}

fn digest(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u8) -> Line {
        Line {
            id: ErasureId([number; 16]),
            generation: 7,
            day: 20_000 - i32::from(number),
            mark: number.is_multiple_of(2),
            subjects: vec![[number; 16], [0xab; 16]],
        }
    }

    #[test]
    fn what_is_written_is_read_once_each() {
        let dir = tempfile::tempdir().unwrap();
        let path = path_beside(&dir.path().join("root.key"));
        assert!(path.ends_with("root.key.erasures"));
        assert!(read(&path).is_err());
        assert_eq!(read_if_there(&path).unwrap(), []);
        for number in [1, 2, 1, 3, 3] {
            append(&path, &line(number)).unwrap();
        }
        assert_eq!(read(&path).unwrap(), [line(1), line(2), line(3)]);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("custody.erasures/v1\n01010101010101010101010101010101 7 19999 keep ")
        );
    }

    #[test]
    fn what_was_cut_off_is_written_anew_and_what_was_changed_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        append(&path, &line(1)).unwrap();
        append(&path, &line(2)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let first = whole_lines(&whole[..whole.len() - 1]);
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let read_now = read(&path).unwrap();
            assert_eq!(read_now.len(), usize::from(cut >= first));
            append(&path, &line(2)).unwrap();
            assert_eq!(read(&path).unwrap().last(), Some(&line(2)));
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            // The last line's end is all that may look cut off.
            let is_end = at + 1 == whole.len();
            assert_eq!(read(&path).is_ok(), is_end, "{at}");
        }
    }
}
