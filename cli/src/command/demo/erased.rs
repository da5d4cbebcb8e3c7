//! One person erased: what would go, the certificate, and what is left.

use std::time::Instant;

use custody_proof::evidence::ErasureCertificate;
use custody_proto::v1::{EraseSubjectRequest, GetSubjectRequest};
use custody_query::{Deadline, LineageApi};
use tonic::Code;

use super::Story;
use super::persons::ask;
use crate::command::verify::own_keys;
use crate::config::Config;
use crate::error::CommandError;
use crate::node::Node;
use crate::output::{bytes, count, counted, party};

/// Recipients that are named.
const NAMED: usize = 4;

/// Erases a person and checks the certificate with the verifying key alone.
pub(super) fn show(
    story: &mut Story,
    node: &Node,
    config: &Config,
    id: &str,
) -> Result<(), CommandError> {
    let api = LineageApi::new(node.query_state());
    let mut request = EraseSubjectRequest {
        subject: id.to_owned(),
        preview: true,
        ticket: "demo-1".to_owned(),
        ..EraseSubjectRequest::default()
    };
    let seen = ask(&api, request.clone())?;
    let preview = seen.erasure_preview.unwrap_or_default();
    let entries: u64 = preview.entries_by_kind.iter().map(|kind| kind.count).sum();
    story.step(format_args!(
        "{id} is erased. First, what would go: the keys, {}, and what was sealed of {} entries.",
        counted(
            preview.identifiers.iter().map(|scheme| scheme.count).sum(),
            "identifier"
        ),
        count(seen.entries),
    ))?;
    let mut names: Vec<String> = preview
        .recipients
        .iter()
        .filter(|row| !row.done)
        .map(|row| party(row.recipient.as_ref()))
        .collect();
    let open = names.len();
    names.truncate(NAMED);
    if open > NAMED {
        names.push(format!("{} more", open - NAMED));
    }
    story.say(format_args!(
        "To be told: {} of {} (GDPR Art. 19), who have not said that they erased their copy: {}.",
        open,
        counted(preview.recipients.len() as u64, "recipient"),
        names.join(", "),
    ))?;

    let started = Instant::now();
    request.preview = false;
    request.confirm = preview.confirm;
    let done = ask(&api, request)?;
    let took = started.elapsed().as_secs_f64() * 1_000.0;
    let erasure = done.erasure.unwrap_or_default();
    let failed = |reason: String| CommandError::Stopped {
        what: "erasing",
        reason,
    };
    let certificate = ErasureCertificate::from_json(&done.certificate)
        .and_then(|certificate| certificate.verify(&own_keys(config)))
        .map_err(|error| failed(error.to_string()))?;
    story.say(format_args!(
        "Done and signed in {took:.0} ms. With the verifying key alone, the certificate of {} proves \
         that the keys of {} were destroyed under root key {}.",
        bytes(done.certificate.len() as u64),
        counted(certificate.persons, "person"),
        count(erasure.generation),
    ))?;
    let question = GetSubjectRequest {
        subject: id.to_owned(),
        ..GetSubjectRequest::default()
    };
    let left = match api.ask(question, Deadline::default()) {
        Err(status) if status.code() == Code::NotFound => status.message().to_owned(),
        Err(status) => return Err(failed(status.message().to_owned())),
        Ok(_) => return Err(failed("the person is still known".to_owned())),
    };
    story.say(format_args!(
        "Asked again, the ledger says: \"{left}\". The {} entries stay, under references that lead to nobody.",
        count(entries),
    ))?;
    Ok(())
}
