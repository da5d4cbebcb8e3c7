//! Rows put in the order of their keys: in memory while they are few, else in
//! sorted runs in a file that has no name, merged when they are taken out.

use std::cmp::Ordering;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use super::ReadModelError;

/// Lengths of key and value, before both.
const LENGTHS_BYTES: usize = 8;

/// What all runs together are read ahead.
const READ_AHEAD_BYTES: usize = 16 << 20;

/// What a run is read ahead at most, and written at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Rows on their way into order.
pub(super) struct Sorter {
    directory: PathBuf,
    /// So many bytes are held; twice as many while a run is written.
    budget: usize,
    chunk: Chunk,
    runs: Vec<Run>,
    file: Option<Arc<File>>,
    end: u64,
    writing: Option<JoinHandle<io::Result<(Run, Chunk)>>>,
    /// Emptied, for the next one.
    spare: Option<Chunk>,
}

impl Sorter {
    /// Runs are written to a file in `directory`.
    pub(super) fn new(directory: &Path, budget: usize) -> Self {
        Self {
            directory: directory.to_owned(),
            budget,
            chunk: Chunk::default(),
            runs: Vec::new(),
            file: None,
            end: 0,
            writing: None,
            spare: None,
        }
    }

    /// Takes a row whose value is these parts.
    pub(super) fn push(&mut self, key: &[u8], value: &[&[u8]]) -> Result<(), ReadModelError> {
        self.chunk.push(key, value);
        if self.chunk.bytes.len() >= self.budget {
            self.spill().map_err(|source| self.failed(source))?;
        }
        Ok(())
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.chunk.slots.is_empty() && self.runs.is_empty() && self.writing.is_none()
    }

    fn failed(&self, source: io::Error) -> ReadModelError {
        ReadModelError::Files {
            path: self.directory.clone(),
            source,
        }
    }

    /// Has what is held written as a run, by a thread of its own.
    fn spill(&mut self) -> io::Result<()> {
        self.written()?;
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => Arc::clone(self.file.insert(Arc::new(nameless(&self.directory)?))),
        };
        let next = self.spare.take().unwrap_or_default();
        let chunk = std::mem::replace(&mut self.chunk, next);
        let start = self.end;
        self.end += chunk.bytes.len() as u64;
        let write = move || chunk.write(&file, start);
        let thread = std::thread::Builder::new().name("read-model-sort".to_owned());
        self.writing = Some(thread.spawn(write)?);
        Ok(())
    }

    /// Waits for the run that is being written.
    fn written(&mut self) -> io::Result<()> {
        if let Some(writing) = self.writing.take() {
            let ended = writing.join();
            let (run, chunk) = ended.map_err(|_| io::Error::other("the sorting panicked"))??;
            self.runs.push(run);
            self.spare = Some(chunk);
        }
        Ok(())
    }

    /// Takes all rows out, in order; of equal keys in any.
    pub(super) fn drain(
        &mut self,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<(), ReadModelError>,
    ) -> Result<(), ReadModelError> {
        self.written().map_err(|source| self.failed(source))?;
        self.chunk.sort();
        if self.runs.is_empty() {
            for slot in &self.chunk.slots {
                let (key, value) = self.chunk.row(slot.at);
                each(key, value)?;
            }
            self.chunk.clear();
            return Ok(());
        }
        self.spare = None;
        let chunk = std::mem::take(&mut self.chunk);
        let merged = merge(
            std::mem::take(&mut self.runs),
            self.file.take().as_deref(),
            &chunk,
            &mut each,
        );
        self.end = 0;
        match merged {
            Ok(done) => done,
            Err(source) => Err(self.failed(source)),
        }
    }
}

/// A file that goes away with its last handle, or with the process.
fn nameless(directory: &Path) -> io::Result<File> {
    let path = directory.join("sorting");
    let _ = fs::remove_file(&path);
    let mut options = fs::OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).open(&path);
    fs::remove_file(&path)?;
    file
}

/// The beginning of a key, as it sorts.
type Start = [u64; 2];

fn start_of(key: &[u8]) -> Start {
    let mut bytes = [0; 16];
    let length = key.len().min(16);
    bytes[..length].copy_from_slice(&key[..length]);
    let start = u128::from_be_bytes(bytes);
    [(start >> 64) as u64, start as u64]
}

#[derive(Clone, Copy)]
struct Slot {
    start: Start,
    at: usize,
}

/// Rows in memory, one after the other.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
}

impl Chunk {
    fn push(&mut self, key: &[u8], value: &[&[u8]]) {
        let length: usize = value.iter().map(|part| part.len()).sum();
        self.slots.push(Slot {
            start: start_of(key),
            at: self.bytes.len(),
        });
        self.bytes
            .extend_from_slice(&(key.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(&(length as u32).to_le_bytes());
        self.bytes.extend_from_slice(key);
        for part in value {
            self.bytes.extend_from_slice(part);
        }
    }

    fn row(&self, at: usize) -> (&[u8], &[u8]) {
        split(&self.bytes[at..]).unwrap_or_default()
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        let key = |slot: &Slot| split(&bytes[slot.at..]).unwrap_or_default().0;
        self.slots.sort_unstable_by(|a, b| {
            let starts = a.start.cmp(&b.start);
            starts.then_with(|| key(a).cmp(key(b)))
        });
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.slots.clear();
    }

    /// Writes the rows in order.
    fn write(mut self, file: &File, start: u64) -> io::Result<(Run, Self)> {
        self.sort();
        let mut at = start;
        let mut buffer = Vec::with_capacity(CHUNK_BYTES + (64 << 10));
        for slot in &self.slots {
            let rest = &self.bytes[slot.at..];
            let length = length_of(rest).unwrap_or_default();
            buffer.extend_from_slice(&rest[..length]);
            if buffer.len() >= CHUNK_BYTES {
                file.write_all_at(&buffer, at)?;
                at += buffer.len() as u64;
                buffer.clear();
            }
        }
        file.write_all_at(&buffer, at)?;
        at += buffer.len() as u64;
        self.clear();
        Ok((
            Run {
                next: start,
                end: at,
            },
            self,
        ))
    }
}

/// How long the row is that begins here; `None` where not even that is here.
fn length_of(bytes: &[u8]) -> Option<usize> {
    let (key, rest) = bytes.split_first_chunk::<4>()?;
    let (value, _) = rest.split_first_chunk::<4>()?;
    let lengths = u32::from_le_bytes(*key) as usize + u32::from_le_bytes(*value) as usize;
    Some(LENGTHS_BYTES + lengths)
}

/// The row that begins here: key and value.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let key = u32::from_le_bytes(*bytes.first_chunk::<4>()?) as usize;
    let row = bytes.get(LENGTHS_BYTES..length_of(bytes)?)?;
    row.split_at_checked(key)
}

/// A run in the file: what is still to be read of it.
struct Run {
    next: u64,
    end: u64,
}

/// A run, or what was in memory, and its next row.
struct Source<'a> {
    run: Option<Run>,
    memory: &'a [Slot],
    buffer: Vec<u8>,
    /// Where the row in `buffer` begins, or in the chunk.
    at: usize,
    start: Start,
}

impl Source<'_> {
    fn row<'s>(&'s self, chunk: &'s Chunk) -> (&'s [u8], &'s [u8]) {
        match &self.run {
            Some(_) => split(&self.buffer[self.at..]).unwrap_or_default(),
            None => chunk.row(self.at),
        }
    }

    /// Goes to the next row; `false` where there is none.
    fn advance(&mut self, file: Option<&File>, ahead: usize) -> io::Result<bool> {
        let Some(run) = &mut self.run else {
            let Some((slot, rest)) = self.memory.split_first() else {
                return Ok(false);
            };
            (self.at, self.start, self.memory) = (slot.at, slot.start, rest);
            return Ok(true);
        };
        self.at += length_of(&self.buffer[self.at..]).unwrap_or_default();
        loop {
            let held = &self.buffer[self.at..];
            if let Some((key, _)) = split(held) {
                self.start = start_of(key);
                return Ok(true);
            }
            if run.next == run.end {
                return match held.is_empty() {
                    true => Ok(false),
                    false => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                };
            }
            let wanted = length_of(held)
                .unwrap_or_default()
                .saturating_sub(held.len());
            let left = usize::try_from(run.end - run.next).unwrap_or(usize::MAX);
            let more = wanted.max(ahead).min(left);
            self.buffer.drain(..self.at);
            self.at = 0;
            let held = self.buffer.len();
            self.buffer.resize(held + more, 0);
            if let Some(file) = file {
                file.read_exact_at(&mut self.buffer[held..], run.next)?;
            }
            run.next += more as u64;
        }
    }
}

fn merge(
    runs: Vec<Run>,
    file: Option<&File>,
    chunk: &Chunk,
    each: &mut impl FnMut(&[u8], &[u8]) -> Result<(), ReadModelError>,
) -> io::Result<Result<(), ReadModelError>> {
    let ahead = (READ_AHEAD_BYTES / runs.len().max(1)).clamp(16 << 10, CHUNK_BYTES);
    let runs = runs.into_iter().map(Some).chain([None]);
    let mut heap = Vec::new();
    for run in runs {
        let mut source = Source {
            run,
            memory: &chunk.slots,
            buffer: Vec::new(),
            at: 0,
            start: [0; 2],
        };
        if source.advance(file, ahead)? {
            heap.push(source);
        }
    }
    for at in (0..heap.len() / 2).rev() {
        sink(&mut heap, at, chunk);
    }
    while let Some(first) = heap.first_mut() {
        let (key, value) = first.row(chunk);
        if let Err(error) = each(key, value) {
            return Ok(Err(error));
        }
        if !first.advance(file, ahead)? {
            heap.swap_remove(0);
        }
        sink(&mut heap, 0, chunk);
    }
    Ok(Ok(()))
}

/// Lets what is at `at` sink to its place: no one's key is less than its
/// parent's.
fn sink(heap: &mut [Source<'_>], mut at: usize, chunk: &Chunk) {
    let order = |a: &Source<'_>, b: &Source<'_>| -> Ordering {
        let starts = a.start.cmp(&b.start);
        starts.then_with(|| a.row(chunk).0.cmp(b.row(chunk).0))
    };
    loop {
        let mut least = at;
        for child in [2 * at + 1, 2 * at + 2] {
            if child < heap.len() && order(&heap[child], &heap[least]).is_lt() {
                least = child;
            }
        }
        if least == at {
            return;
        }
        heap.swap(at, least);
        at = least;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn comes_out_in_order_whatever_the_budget(
            rows in prop::collection::vec((prop::collection::vec(0..3u8, 0..20), prop::collection::vec(any::<u8>(), 0..9)), 0..200),
            budget in 1..4_000usize,
        ) {
            let directory = tempfile::tempdir().unwrap();
            let mut sorter = Sorter::new(directory.path(), budget);
            // Once more with the same one, which was emptied.
            for _ in 0..2 {
                for (key, value) in &rows {
                    let (a, b) = value.split_at(value.len() / 2);
                    sorter.push(key, &[a, b]).unwrap();
                }
                let mut found = Vec::new();
                prop_assert_eq!(sorter.is_empty(), rows.is_empty());
                sorter.drain(|key, value| {
                    found.push((key.to_vec(), value.to_vec()));
                    Ok(())
                }).unwrap();
                prop_assert!(found.is_sorted_by_key(|row| row.0.clone()));
                let mut wanted = rows.clone();
                wanted.sort();
                found.sort();
                prop_assert_eq!(found, wanted);
                prop_assert!(sorter.is_empty());
            }
            prop_assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        }
    }
}
