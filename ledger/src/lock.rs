//! One process a ledger: an exclusive lock on a file that holds its pid.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::OpenError;

pub(crate) const FILE: &str = "lock";

/// Held until dropped. The kernel releases it when the process dies, so that a
/// lock never outlives its holder; the pid is for the error message only.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// For writing: nobody else may have it.
    pub(crate) fn exclusive(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join(FILE);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(OpenError::io("open", &path))?;
        acquire(dir, &mut file, FlockOperation::NonBlockingLockExclusive)?;
        let written = file
            .set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(OpenError::io("write", &path))?;
        Ok(Self { file })
    }

    /// For reading: no writer may have it. `None` where there is no lock file,
    /// as in a copy; nothing is written.
    pub(crate) fn shared(dir: &Path) -> Result<Option<Self>, OpenError> {
        let path = dir.join(FILE);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OpenError::io("open", &path)(error)),
        };
        acquire(dir, &mut file, FlockOperation::NonBlockingLockShared)?;
        Ok(Some(Self { file }))
    }

    /// Forgets the pid. An empty lock file is part of a ledger that was closed.
    pub(crate) fn clear(&self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.sync_all()
    }
}

fn acquire(dir: &Path, file: &mut File, how: FlockOperation) -> Result<(), OpenError> {
    match flock(&*file, how) {
        Ok(()) => Ok(()),
        Err(Errno::WOULDBLOCK) => {
            let mut holder = String::new();
            // Bounded, since anybody may have written to it.
            let read = (&*file).take(32).read_to_string(&mut holder);
            Err(OpenError::Locked {
                path: dir.to_owned(),
                pid: read.ok().and_then(|_| holder.trim().parse().ok()),
            })
        }
        Err(error) => Err(OpenError::io("lock", &dir.join(FILE))(error.into())),
    }
}
