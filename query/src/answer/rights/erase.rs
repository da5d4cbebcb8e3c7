//! `EraseSubject`: seen first, then confirmed, then done.

use std::sync::Arc;
use std::time::Duration;

use custody_proto::v1;

use super::erasures::certificate;
use super::preview::{Preview, Terms};
use super::whom::{self, Whom};
use crate::answer::at_least::Wanted;
use crate::answer::error::{Faults, QueryError};
use crate::answer::filter::is_id;
use crate::answer::{Ask, QueryState};
use crate::read_model::Visible;

/// The reason where none is given.
const REASON: &str = "request";

/// How long the end of an erasure is waited for to be signed. Who does not get
/// the certificate here asks for it by the erasure's id.
const SIGNED_WITHIN: Duration = Duration::from_secs(5);

/// Checks a code of the operator.
pub(super) fn check_code(field: &str, code: &str, faults: &mut Faults) {
    if !is_id(code, false) {
        faults.push(field, "must be a code, `[a-z0-9._-]{1,64}`: no free text");
    }
}

/// Every identifier of a request, with the name of its field.
fn identifiers(request: &v1::EraseSubjectRequest) -> Vec<(String, &str)> {
    let mut identifiers = Vec::with_capacity(1 + request.more_subjects.len());
    identifiers.push(("subject".to_owned(), request.subject.as_str()));
    for (index, subject) in request.more_subjects.iter().enumerate() {
        identifiers.push((format!("more_subjects[{index}]"), subject));
    }
    identifiers
}

impl Ask for v1::EraseSubjectRequest {
    type Answer = v1::EraseSubjectResponse;
    const METHOD: &'static str = "custody.v1.RightsService/EraseSubject";

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        state.custodian()?;
        let mut faults = Faults::default();
        whom::check(&identifiers(self), &mut faults);
        if !self.reason.is_empty() {
            check_code("reason", &self.reason, &mut faults);
        }
        if !self.ticket.is_empty() {
            check_code("ticket", &self.ticket, &mut faults);
        }
        if !self.preview && self.confirm.is_empty() {
            return Err(QueryError::NotPreviewed);
        }
        let wanted = Wanted::read(self.at_least.as_ref(), &mut faults);
        faults.or(wanted)
    }

    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let custodian = state.custodian()?;
        let whom = Whom::find(state, &identifiers(&self))?;
        let terms = Terms {
            reason: match self.reason.as_str() {
                "" => REASON.to_owned(),
                reason => reason.to_owned(),
            },
            ticket: self.ticket,
            mark: self.mark.unwrap_or(state.erasing.mark),
        };
        let preview = Preview::of(state, &visible, custodian.as_ref(), whom, terms)?;
        let (entries, recipients) = preview.summary();
        let mut answer = v1::EraseSubjectResponse {
            entries,
            recipients,
            ..v1::EraseSubjectResponse::default()
        };
        if self.preview {
            answer.erasure_preview = Some(preview.show(state, &visible)?);
            return Ok(answer);
        }
        preview.check(state, &self.confirm)?;
        let erasure = custodian.erase(preview.into_order())?;
        answer.recipients.clone_from(&erasure.recipients);
        answer.certificate = certificate(state, &erasure, SIGNED_WITHIN)?;
        answer.erasure = Some(erasure);
        Ok(answer)
    }
}
