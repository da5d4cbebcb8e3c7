//! From a file to the ledger, without Kafka.
//!
//! A file of JSON Lines, a structured CloudEvent each, is a shard of its own:
//! line numbers are its offsets, the digest of its bytes is its topic id. So
//! an import that was interrupted goes on where it stopped, and the same file
//! a second time brings nothing.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use custody_ledger::ShardDescriptor;
use parking_lot::Mutex;
use serde_json::json;

use crate::message::RawMessage;
use crate::pipeline::{DeadLetter, DeadLetters, Pipeline, PipelineError, StopSignal, Undelivered};

/// The cluster of the shards that files are.
pub const IMPORT_CLUSTER: &str = "import";

/// Lines handed over at a time.
const LINES: usize = 1_000;

/// What can go wrong with an import as a whole. A line never does.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The pipeline failed.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

/// What an import brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The shard that the file is.
    pub shard: ShardDescriptor,
    /// Lines that an earlier import of the same file had brought.
    pub skipped: i64,
    /// Lines handed over now.
    pub lines: i64,
}

/// The shard that a file is: `import/<name>` of the cluster `import`.
///
/// # Errors
/// Where the file cannot be read.
pub fn shard_of(path: &Path) -> Result<ShardDescriptor, ImportError> {
    let read = |source| ImportError::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(read)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = file.read(&mut buffer).map_err(read)?;
        if length == 0 {
            break;
        }
        hasher.update(buffer.get(..length).unwrap_or_default());
    }
    let name = path
        .file_name()
        .map_or_else(|| "file".into(), |name| name.to_string_lossy());
    Ok(ShardDescriptor {
        cluster_id: IMPORT_CLUSTER.to_owned(),
        topic: format!("import/{name}"),
        topic_id: hasher.finalize().to_hex().to_string(),
        partition: 0,
        epoch: 0,
    })
}

/// Hands every line of the file to the pipeline and waits until it has worked
/// them off; [`Pipeline::stop`] makes sure that all is durable. `progress` is
/// told the bytes read so far.
///
/// # Errors
/// [`ImportError`] where the file cannot be read or the pipeline fails.
pub fn import(
    path: &Path,
    pipeline: &Pipeline,
    mut progress: impl FnMut(u64),
) -> Result<Imported, ImportError> {
    let read = |source| ImportError::Read {
        path: path.to_owned(),
        source,
    };
    let shard = shard_of(path)?;
    let feed = pipeline.open_shard(&shard)?;
    let topic: Arc<str> = Arc::from(shard.topic.as_str());
    let mut file = File::open(path).map_err(read)?;
    file.seek(SeekFrom::Start(0)).map_err(read)?;
    let mut lines = BufReader::with_capacity(1 << 20, file);

    let (mut offset, mut bytes, mut batch) = (0, 0, Vec::new());
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = lines.read_until(b'\n', &mut line).map_err(read)?;
        bytes += length as u64;
        if length > 0 && offset >= feed.next_offset {
            while matches!(line.last(), Some(b'\n' | b'\r')) {
                line.pop();
            }
            batch.push(RawMessage {
                topic: Arc::clone(&topic),
                partition: 0,
                offset,
                timestamp_ms: None,
                key: None,
                headers: Vec::new(),
                payload: Some(line.clone()),
            });
        }
        if batch.len() >= LINES || (length == 0 && !batch.is_empty()) {
            feed.send(std::mem::take(&mut batch))?;
            progress(bytes);
            while feed.queued_bytes() > pipeline.queue_limit() && pipeline.failure().is_none() {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        if length == 0 {
            break;
        }
        offset += 1;
    }
    progress(bytes);
    Ok(Imported {
        skipped: feed.next_offset.min(offset),
        lines: (offset - feed.next_offset).max(0),
        shard,
    })
}

/// Dead letters as lines of a file: `{"line", "code", "error", "payload"}`,
/// or `"payload_base64"` where the line is not UTF-8.
pub struct FileDeadLetters {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl FileDeadLetters {
    /// Dead letters go to the end of the file at `path`, which is made with
    /// the first of them.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            file: Mutex::new(None),
        }
    }

    fn write(&self, letters: &[DeadLetter]) -> io::Result<()> {
        let mut lines = Vec::new();
        for letter in letters {
            let payload = letter.message.payload.as_deref().unwrap_or_default();
            let mut line = json!({
                "line": letter.message.offset + 1,
                "code": letter.rejection.code(),
                "error": letter.rejection.to_string(),
            });
            match std::str::from_utf8(payload) {
                Ok(text) => line["payload"] = text.into(),
                Err(_) => line["payload_base64"] = STANDARD.encode(payload).into(),
            }
            writeln!(lines, "{line}")?;
        }
        let mut file = self.file.lock();
        if file.is_none() {
            // Whole messages: for nobody else's eyes.
            let opened = File::options()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(&self.path)?;
            *file = Some(opened);
        }
        if let Some(file) = file.as_mut() {
            file.write_all(&lines)?;
            file.sync_data()?;
        }
        Ok(())
    }
}

impl DeadLetters for FileDeadLetters {
    fn deliver(&self, letters: &[DeadLetter], stop: &StopSignal) -> Result<(), Undelivered> {
        loop {
            match self.write(letters) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::error!(%error, path = %self.path.display(),
                        "rejected lines cannot be written; trying again");
                }
            }
            if stop.is_stopped() {
                return Err(Undelivered {
                    undelivered: letters.len(),
                });
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}
