//! Watching a server: one stream after the other, from token to token.

use std::ops::ControlFlow;
use std::time::Duration;

use custody_proto::v1::lineage_service_client::LineageServiceClient;
use custody_proto::v1::oversight_service_client::OversightServiceClient;
use custody_proto::v1::{
    EntryFilter, EntryView, FindingFilter, LedgerHead, WatchContent, WatchRequest, WatchResponse,
    WatchSubjectRequest,
};
use tonic::{Code, Status, Streaming};

use crate::error::CommandError;
use crate::reach::{connect, refused};

/// The largest message: an entry in full view.
const MAX_MESSAGE_BYTES: usize = 16 << 20;

/// How long it waits before it tries again, at first and at last.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What to watch.
#[derive(Clone)]
pub struct WatchQuestion {
    /// `scheme:value`; `None`: everybody.
    pub subject: Option<String>,
    /// Narrows the entries.
    pub filter: EntryFilter,
    /// Narrows the findings.
    pub findings: FindingFilter,
    /// What is told of.
    pub content: WatchContent,
    /// How much of a person's entry is shown.
    pub view: EntryView,
    /// From where on; `None`: from now.
    pub from: Option<LedgerHead>,
    /// Goes on from there instead.
    pub resume_token: String,
    /// Whether it goes on by itself where a stream is cut off.
    pub goes_on: bool,
}

/// Watches until `heard` has had enough, and returns the last token. `lost` is
/// told where a stream was cut off and it goes on.
///
/// # Errors
/// [`CommandError::Connect`] where there is no server at first,
/// [`CommandError::Refused`] where it refuses, and what `heard` says.
pub async fn watch(
    server: &str,
    mut question: WatchQuestion,
    mut heard: impl FnMut(&WatchResponse) -> Result<ControlFlow<()>, CommandError>,
    mut lost: impl FnMut(&CommandError),
) -> Result<String, CommandError> {
    let mut stream = begin(server, &question).await?;
    let mut wait = FIRST_WAIT;
    loop {
        let cut_off = match stream.message().await {
            Ok(Some(message)) => {
                wait = FIRST_WAIT;
                let enough = heard(&message)?;
                question.resume_token = message.resume_token;
                if enough.is_break() {
                    return Ok(question.resume_token);
                }
                continue;
            }
            Ok(None) => Status::unavailable("the stream ended"),
            Err(status) => status,
        };
        let error = refused(server, &cut_off);
        if !question.goes_on || !may_go_on(&cut_off) {
            return Err(error);
        }
        lost(&error);
        stream = loop {
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
            match begin(server, &question).await {
                Ok(stream) => break stream,
                Err(CommandError::Connect { .. }) => {}
                Err(other) => return Err(other),
            }
        };
    }
}

/// Whether it is the connection or the server that ended, and not the question
/// that is wrong.
fn may_go_on(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::Unknown
            | Code::Internal
            | Code::Cancelled
            | Code::ResourceExhausted
    )
}

async fn begin(
    server: &str,
    question: &WatchQuestion,
) -> Result<Streaming<WatchResponse>, CommandError> {
    let connection = connect(server).await?;
    let question = question.clone();
    let begun = match question.subject {
        Some(subject) => {
            let request = WatchSubjectRequest {
                subject,
                filter: Some(question.filter),
                findings: Some(question.findings),
                content: question.content.into(),
                view: question.view.into(),
                from: question.from,
                resume_token: question.resume_token,
                ..WatchSubjectRequest::default()
            };
            let client = LineageServiceClient::new(connection);
            let mut client = client.max_decoding_message_size(MAX_MESSAGE_BYTES);
            client.watch_subject(request).await
        }
        None => {
            let request = WatchRequest {
                filter: Some(question.filter),
                findings: Some(question.findings),
                content: question.content.into(),
                from: question.from,
                resume_token: question.resume_token,
                ..WatchRequest::default()
            };
            let client = OversightServiceClient::new(connection);
            let mut client = client.max_decoding_message_size(MAX_MESSAGE_BYTES);
            client.watch(request).await
        }
    };
    begun
        .map(tonic::Response::into_inner)
        .map_err(|status| refused(server, &status))
}
