//! One checkpoint to one witness, and what it answers.

use std::sync::Arc;
use std::time::Duration;

use custody_proof::cosignature::CosignerKey;
use custody_proof::note::{KeyError, Limits, Note, NoteError, Signature};
use custody_proof::tree::Hash;
use custody_proof::witness::{
    AddCheckpoint, Answer, MAX_ANSWER_BYTES, MessageError, PATH, Refusal,
};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::config::WitnessAt;

/// How long a witness may take for an answer. One thread asks all of them.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why nothing came back that says anything. Trying again later may help.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It cannot be reached, or gives no whole answer.
    #[error("{0}")]
    Transport(#[from] ureq::Error),
    /// What it answers is no answer.
    #[error("its answer: {0}")]
    Message(#[from] MessageError),
    /// It answers well and has signed something else.
    #[error("its answer holds no cosignature of this checkpoint by the key that is configured")]
    NotCosigned,
    /// The checkpoint is none.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] NoteError),
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
            url: format!("{}/{PATH}", at.url.trim_end_matches('/')),
            key: at.key.trim().parse()?,
        })
    }

    /// Its key.
    pub fn key(&self) -> &CosignerKey {
        &self.key
    }

    /// Sends a signed checkpoint with the proof that it continues the tree of
    /// `old_size`. Cosignatures in the answer are this witness's and right.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send(&self, old_size: u64, proof: Vec<Hash>, note: &str) -> Result<Answer, SendError> {
        let request = AddCheckpoint {
            old_size,
            proof,
            note: note.to_owned(),
        };
        let mut response = self
            .agent
            .post(&self.url)
            .header("content-type", "text/plain; charset=utf-8")
            .send(request.encode())?;
        let status = response.status().as_u16();
        let kind = response.headers().get("content-type");
        let kind = kind.and_then(|kind| kind.to_str().ok()).map(str::to_owned);
        let body = response.body_mut().with_config();
        let body = body.limit(MAX_ANSWER_BYTES as u64).read_to_string()?;
        match Answer::parse(status, kind.as_deref(), &body)? {
            Answer::Cosigned(lines) => self.own(lines, note).map(Answer::Cosigned),
            answer => Ok(answer),
        }
    }

    /// The lines that are this witness's and right. Others are not for it to
    /// vouch for.
    fn own(&self, lines: Vec<Signature>, note: &str) -> Result<Vec<Signature>, SendError> {
        let note = Note::parse_within(note, Limits::CHECKPOINT)?;
        let mut own = lines;
        own.retain(|line| self.key.verify(line, note.text()).is_ok());
        if own.is_empty() {
            return Err(SendError::NotCosigned);
        }
        Ok(own)
    }
}

/// In words for the operator, who can do something about it.
pub(super) fn words(refusal: Refusal) -> String {
    match refusal {
        Refusal::UnknownLog => {
            "it does not know this log (404): give it the origin and the verifier key that \
             `custody keys show` prints"
                .to_owned()
        }
        Refusal::Untrusted => {
            "it knows this log by another key (403): give it the verifier key that \
             `custody keys show` prints"
                .to_owned()
        }
        other => format!("it refuses with status {}", other.status()),
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
