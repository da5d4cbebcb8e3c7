//! A key service that is asked over HTTP.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use zeroize::Zeroizing;

use super::protocol::{self, MOST_BYTES, failed};
use super::{RootKey, RootStore};
use crate::error::VaultError;

/// Root keys kept by a service at an address: each question is a POST of JSON,
/// each good answer has status 200. Over HTTPS the certificates of the system
/// count. `docs/root-key.md` has the protocol.
pub struct HttpRootStore {
    url: String,
    authorization: Option<Zeroizing<String>>,
    agent: Agent,
}

impl fmt::Debug for HttpRootStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRootStore").finish_non_exhaustive()
    }
}

impl HttpRootStore {
    /// Default time limit of one question.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    /// `authorization` is the whole value of that header, such as
    /// `Bearer …`. Keys travel in the bodies: use `https`, or a socket of this
    /// machine.
    pub fn new(
        url: impl Into<String>,
        authorization: Option<Zeroizing<String>>,
        timeout: Duration,
    ) -> Self {
        Self {
            url: url.into(),
            authorization,
            agent: agent(timeout),
        }
    }

    fn ask(&self, doing: &'static str, request: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let mut post = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json");
        if let Some(authorization) = &self.authorization {
            post = post.header("authorization", authorization.as_str());
        }
        let mut response = post.send(request).map_err(|error| failed(doing, error))?;
        let status = response.status();
        let answer = response
            .body_mut()
            .with_config()
            .limit(MOST_BYTES as u64)
            .read_to_vec()
            .map(Zeroizing::new)
            .map_err(|error| failed(doing, error))?;
        if status.as_u16() != 200 {
            return Err(failed(doing, format!("it answers with status {status}")));
        }
        Ok(answer)
    }
}

impl RootStore for HttpRootStore {
    fn kind(&self) -> &'static str {
        "http"
    }

    /// Without what may be a secret: user, path and query.
    fn place(&self) -> String {
        let (scheme, rest) = self.url.split_once("://").unwrap_or(("", &self.url));
        let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        format!("{scheme}://{host}")
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

fn agent(timeout: Duration) -> Agent {
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
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("custody/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}
