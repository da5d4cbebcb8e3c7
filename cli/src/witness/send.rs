//! One checkpoint to one witness, and what it answers.

use std::sync::Arc;
use std::time::Duration;

use custody_proof::cosignature::CosignerKey;
use custody_proof::note::{KeyError, Note, Signature};
use custody_proof::tree::Hash;
use custody_proof::witness::{AddCheckpoint, ADD_CHECKPOINT};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::config::WitnessAt;

/// How long a witness may take for an answer. One thread asks all of them.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest answer that is read, in bytes: some signature lines.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// What a witness answers where it does not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has cosigned: its signature lines, verified.
    Cosigned(Vec<Signature>),
    /// The checkpoint that it saw last has another size than we said.
    SizeIs(u64),
    /// The proof does not show that our tree continues the one it saw.
    Inconsistent,
}

/// Why a witness did not cosign, and may later.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It cannot be reached, or gives no whole answer.
    #[error("{0}")]
    Transport(String),
    /// It refuses by a status that says nothing about the tree.
    #[error("{0}")]
    Refused(Refusal),
    /// It answers well and has signed something else.
    #[error("its answer holds no cosignature of this checkpoint by the key that is configured")]
    NotCosigned,
}

/// A status of refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 404.
    #[error("it does not know this log (404): give it the ledger's verifier key and origin")]
    UnknownOrigin,
    /// 403.
    #[error("it knows this log by another key (403): give it the ledger's current verifier key")]
    UnknownKey,
    /// Any other.
    #[error("it answers with status {0}")]
    Status(u16),
}

/// Sends checkpoints to one witness.
pub struct Sender {
    agent: Agent,
    url: String,
    key: CosignerKey,
}

impl Sender {
    /// For a witness of the configuration. `agent` is shared by all.
    ///
    /// # Errors
    /// Where its key is none.
    pub fn new(at: &WitnessAt, agent: &Agent) -> Result<Self, KeyError> {
        Ok(Self {
            agent: agent.clone(),
            url: format!("{}/{ADD_CHECKPOINT}", at.url.trim_end_matches('/')),
            key: at.key.trim().parse()?,
        })
    }

    /// Its key.
    pub fn key(&self) -> &CosignerKey {
        &self.key
    }

    /// Sends a signed checkpoint with the proof that it continues the tree of
    /// `old_size`.
    ///
    /// # Errors
    /// [`SendError`]; trying again later may help.
    pub fn send(&self, old_size: u64, proof: &[Hash], note: &str) -> Result<Answer, SendError> {
        let body = AddCheckpoint {
            old_size,
            proof: proof.to_vec(),
            note: note.to_owned(),
        }
        .encode();
        let mut response = self
            .agent
            .post(&self.url)
            .header("content-type", "text/plain; charset=utf-8")
            .send(body)
            .map_err(|error| SendError::Transport(error.to_string()))?;
        let status = response.status().as_u16();
        let mut text = || {
            let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES);
            body.read_to_string()
                .map_err(|error| SendError::Transport(error.to_string()))
        };
        match status {
            200 => self.cosignatures(&text()?, note).map(Answer::Cosigned),
            409 => {
                let size = text()?.trim_end_matches('\n').parse();
                size.map(Answer::SizeIs)
                    .map_err(|_| SendError::Refused(Refusal::Status(status)))
            }
            422 => Ok(Answer::Inconsistent),
            404 => Err(SendError::Refused(Refusal::UnknownOrigin)),
            403 => Err(SendError::Refused(Refusal::UnknownKey)),
            _ => Err(SendError::Refused(Refusal::Status(status))),
        }
    }

    /// The lines of an answer that are this witness's and right. Others are not
    /// for us to vouch for.
    fn cosignatures(&self, answer: &str, note: &str) -> Result<Vec<Signature>, SendError> {
        let note = Note::parse_within(note, custody_proof::note::Limits::CHECKPOINT)
            .map_err(|error| SendError::Transport(error.to_string()))?;
        let right: Vec<Signature> = answer
            .lines()
            .filter_map(|line| line.parse().ok())
            .filter(|line| self.key.verify(line, note.text()).is_ok())
            .collect();
        if right.is_empty() {
            return Err(SendError::NotCosigned);
        }
        Ok(right)
    }
}

/// What sends requests: the system's certificates, no redirects, a limit on
/// time.
pub(super) fn agent() -> Agent {
    let loaded = rustls_native_certs::load_native_certs();
    let roots: Vec<Certificate<'static>> = loaded
        .certs
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .unversioned_rustls_crypto_provider(provider)
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("custody/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}
