//! A key service that is a command: started for each question.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use process_control::{ChildExt, Control};
use zeroize::Zeroizing;

use super::protocol::{self, MOST_BYTES, failed};
use super::{RootKey, RootStore};
use crate::error::VaultError;

/// Root keys kept by a command of the operator's: a hardware module, a key
/// service's own client. It gets a question as JSON on standard input and
/// answers on standard output; what it writes to standard error goes where
/// this process's goes. `docs/root-key.md` has the protocol.
#[derive(Debug)]
pub struct CommandRootStore {
    program: PathBuf,
    arguments: Vec<OsString>,
    timeout: Duration,
}

impl CommandRootStore {
    /// Default time limit of one question.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    /// The program is started as it is, without a shell.
    pub fn new(
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            timeout: Self::TIMEOUT,
        }
    }

    /// Another time limit. The command is killed when it is over.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn ask(&self, doing: &'static str, request: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| failed(doing, error))?;
        if let Some(mut stdin) = child.stdin.take() {
            // Far below what a pipe holds. A command that does not read it may
            // still answer.
            let _ = stdin.write_all(request);
        }
        let output = child
            .controlled_with_output()
            .time_limit(self.timeout)
            .terminate_for_timeout()
            .wait()
            .map_err(|error| failed(doing, error))?
            .ok_or_else(|| failed(doing, "it took too long"))?;
        let answer = Zeroizing::new(output.stdout);
        if !output.status.success() {
            return Err(failed(doing, format!("it ended with {}", output.status)));
        }
        if answer.len() > MOST_BYTES {
            return Err(failed(doing, "its answer is too long"));
        }
        Ok(answer)
    }
}

impl RootStore for CommandRootStore {
    fn kind(&self) -> &'static str {
        "command"
    }

    fn place(&self) -> String {
        self.program.display().to_string()
    }

    fn get(&self) -> Result<Vec<RootKey>, VaultError> {
        protocol::get(&|doing, request| self.ask(doing, request))
    }

    fn put(&self, key: &RootKey) -> Result<(), VaultError> {
        protocol::put(&|doing, request| self.ask(doing, request), key)
    }

    fn destroy(&self, generation: u64) -> Result<(), VaultError> {
        protocol::destroy(&|doing, request| self.ask(doing, request), generation)
    }
}
