//! `ListErasures`, `GetErasure`, `WithdrawErasure`: what the house shard says
//! of erasures, and the certificate of one that is done.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use custody_ledger::{ProveError, ShardDescriptor};
use custody_proof::evidence::ErasureCertificate;
use custody_proto::v1;

use crate::answer::at_least::Wanted;
use crate::answer::error::{Faults, QueryError};
use crate::answer::filter::named;
use crate::answer::page::Page;
use crate::answer::{Ask, QueryState};
use crate::custodian::CustodianError;
use crate::read_model::Visible;

/// How an erasure may stand.
const STATES: [&str; 5] = ["requested", "waiting", "started", "done", "withdrawn"];

/// The state of one that is done.
const DONE: &str = "done";

/// How long a certificate that was asked for by name is waited for.
const SIGNED_WITHIN: Duration = Duration::from_secs(2);

/// A node that signs does so within a second of its start.
const FIRST_SIGNED_WITHIN: Duration = Duration::from_millis(1_500);

impl Ask for v1::ListErasuresRequest {
    type Answer = v1::ListErasuresResponse;
    const METHOD: &'static str = "custody.v1.RightsService/ListErasures";
    /// The house shard alone says it.
    const NEEDS_EVERYTHING: bool = false;

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        state.custodian()?;
        let mut faults = Faults::default();
        states(self, &mut faults);
        Page::of::<Self, _>(state, self, &mut faults)?;
        faults.or(Wanted::default())
    }

    fn answer(self, state: &QueryState, visible: Arc<Visible>) -> Result<Self::Answer, QueryError> {
        let mut faults = Faults::default();
        let states = states(&self, &mut faults);
        let page = Page::of::<Self, _>(state, &self, &mut faults)?;
        let page = faults.or(page)?;
        // The place of a request in the house shard is the place in the list,
        // and stays: no head is needed for that.
        let before: Option<u64> = page.cursor()?;
        let place = |erasure: &v1::Erasure| erasure.requested.as_ref().map(|at| at.sequence);
        let mut erasures = state.custodian()?.erasures()?;
        erasures.retain(|erasure| {
            (states.is_empty() || states.contains(erasure.state.as_str()))
                && before.is_none_or(|before| place(erasure).is_some_and(|at| at < before))
        });
        erasures.sort_by_key(|erasure| std::cmp::Reverse(place(erasure)));
        let more = erasures.len() > page.size;
        erasures.truncate(page.size);
        let next_page_token = match erasures.last().and_then(place) {
            Some(last) if more => page.next(&state.tokens, &visible, &last)?,
            _ => String::new(),
        };
        Ok(v1::ListErasuresResponse {
            erasures,
            next_page_token,
        })
    }
}

fn states(request: &v1::ListErasuresRequest, faults: &mut Faults) -> HashSet<&'static str> {
    named(
        &request.states,
        "states",
        "is none of `requested`, `waiting`, `started`, `done`, `withdrawn`",
        faults,
        |name| STATES.into_iter().find(|state| *state == name),
    )
}

impl Ask for v1::GetErasureRequest {
    type Answer = v1::GetErasureResponse;
    const METHOD: &'static str = "custody.v1.RightsService/GetErasure";
    /// The house shard alone says it.
    const NEEDS_EVERYTHING: bool = false;

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        state.custodian()?;
        read_id(&self.id).map(|_| Wanted::default())
    }

    fn answer(
        self,
        state: &QueryState,
        _visible: Arc<Visible>,
    ) -> Result<Self::Answer, QueryError> {
        read_id(&self.id)?;
        let erasures = state.custodian()?.erasures()?;
        let found = erasures.into_iter().find(|erasure| erasure.id == self.id);
        let erasure = found.ok_or(CustodianError::UnknownErasure)?;
        Ok(v1::GetErasureResponse {
            certificate: certificate(state, &erasure, SIGNED_WITHIN)?,
            erasure: Some(erasure),
        })
    }
}

impl Ask for v1::WithdrawErasureRequest {
    type Answer = v1::WithdrawErasureResponse;
    const METHOD: &'static str = "custody.v1.RightsService/WithdrawErasure";
    /// What is withdrawn is in the house shard.
    const NEEDS_EVERYTHING: bool = false;

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        state.custodian()?;
        read_id(&self.id).map(|_| Wanted::default())
    }

    fn answer(
        self,
        state: &QueryState,
        _visible: Arc<Visible>,
    ) -> Result<Self::Answer, QueryError> {
        let erasure = state.custodian()?.withdraw(read_id(&self.id)?)?;
        Ok(v1::WithdrawErasureResponse {
            erasure: Some(erasure),
        })
    }
}

fn read_id(text: &str) -> Result<[u8; 16], QueryError> {
    let mut faults = Faults::default();
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let id = (text.len() == 32 && text.bytes().all(is_digit))
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten();
    if id.is_none() {
        faults.push("id", "must be an erasure's id: 32 hexadecimal digits");
    }
    faults.or(id.unwrap_or_default().to_be_bytes())
}

/// The certificate of an erasure, as `custody check` reads it; empty before it
/// is done, and where its end is not signed within that time.
pub(super) fn certificate(
    state: &QueryState,
    erasure: &v1::Erasure,
    signed_within: Duration,
) -> Result<Vec<u8>, QueryError> {
    let (Some(requested), Some(started), Some(done)) =
        (&erasure.requested, &erasure.started, &erasure.done)
    else {
        return Ok(Vec::new());
    };
    if erasure.state != DONE {
        return Ok(Vec::new());
    }
    let requested: Vec<u64> = std::iter::once(requested)
        .chain(&erasure.added)
        .map(|at| at.sequence)
        .collect();
    let wanted = [(ShardDescriptor::house().id(), done.sequence + 1)];
    // A node that never signed anything may be one without a key.
    let patience = match state.ledger.published() {
        Some(_) => signed_within,
        None => signed_within.min(FIRST_SIGNED_WITHIN),
    };
    state.ledger.wait_published(&wanted, patience);
    let made = state
        .ledger
        .certify_erasure(&requested, started.sequence, done.sequence);
    match made {
        Ok(certificate) => Ok(ErasureCertificate::to_json(&certificate).into_bytes()),
        Err(ProveError::NoCheckpoint | ProveError::NotCovered { .. }) => Ok(Vec::new()),
        Err(error) => Err(crate::answer::evidence::unproved(error)),
    }
}
