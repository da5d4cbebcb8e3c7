//! `LinkSubjects`, `UnlinkSubjects`, `ReleaseIdentifier`: who is who, by the
//! operator's word.

use std::sync::Arc;

use custody_ledger::id::SubjectReference;
use custody_proto::v1;

use super::erase::check_code;
use super::whom::reference_of;
use crate::answer::at_least::Wanted;
use crate::answer::error::{Faults, QueryError};
use crate::answer::moment;
use crate::answer::subject::check_field;
use crate::answer::{Ask, QueryState};
use crate::read_model::Visible;

fn check_two(state: &QueryState, (a, b): (&str, &str), cause: &str) -> Result<Wanted, QueryError> {
    state.custodian()?;
    let mut faults = Faults::default();
    check_field("a", a, &mut faults);
    check_field("b", b, &mut faults);
    check_code("cause", cause, &mut faults);
    faults.or(Wanted::default())
}

/// Two persons by their identifiers.
fn two(state: &QueryState, a: &str, b: &str) -> Result<([u8; 16], [u8; 16]), QueryError> {
    let (a, b) = (reference_of(state, a)?, reference_of(state, b)?);
    let mut faults = Faults::default();
    if a == b {
        faults.push("b", "is the same person's identifier as `a`");
    }
    faults.or((a, b))
}

impl Ask for v1::LinkSubjectsRequest {
    type Answer = v1::LinkSubjectsResponse;
    const METHOD: &'static str = "custody.v1.RightsService/LinkSubjects";
    /// The vault knows who they are.
    const NEEDS_EVERYTHING: bool = false;

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        check_two(state, (&self.a, &self.b), &self.cause)
    }

    fn answer(
        self,
        state: &QueryState,
        _visible: Arc<Visible>,
    ) -> Result<Self::Answer, QueryError> {
        let (a, b) = two(state, &self.a, &self.b)?;
        let changed = state.custodian()?.link(a, b, &self.cause)?;
        Ok(v1::LinkSubjectsResponse { changed })
    }
}

impl Ask for v1::UnlinkSubjectsRequest {
    type Answer = v1::UnlinkSubjectsResponse;
    const METHOD: &'static str = "custody.v1.RightsService/UnlinkSubjects";
    /// The vault knows who they are.
    const NEEDS_EVERYTHING: bool = false;

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        check_two(state, (&self.a, &self.b), &self.cause)
    }

    fn answer(
        self,
        state: &QueryState,
        _visible: Arc<Visible>,
    ) -> Result<Self::Answer, QueryError> {
        let (a, b) = two(state, &self.a, &self.b)?;
        let changed = state.custodian()?.unlink(a, b, &self.cause)?;
        let linked = state.vault.linked(&a).map_err(QueryError::Vault)?;
        Ok(v1::UnlinkSubjectsResponse {
            changed,
            still_linked: linked.contains(&b),
        })
    }
}

impl Ask for v1::ReleaseIdentifierRequest {
    type Answer = v1::ReleaseIdentifierResponse;
    const METHOD: &'static str = "custody.v1.RightsService/ReleaseIdentifier";
    /// The vault knows whose it is.
    const NEEDS_EVERYTHING: bool = false;

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        state.custodian()?;
        let mut faults = Faults::default();
        check_field("identifier", &self.identifier, &mut faults);
        check_code("cause", &self.cause, &mut faults);
        moment::read(self.from.as_ref(), "from", &mut faults);
        faults.or(Wanted::default())
    }

    fn answer(
        self,
        state: &QueryState,
        _visible: Arc<Visible>,
    ) -> Result<Self::Answer, QueryError> {
        let mut faults = Faults::default();
        let from_ns = moment::read(self.from.as_ref(), "from", &mut faults);
        let from_ns = faults.or(from_ns)?.unwrap_or_else(|| state.now_ns());
        let custodian = state.custodian()?;
        let whose = custodian.release(&self.identifier, from_ns, &self.cause)?;
        Ok(v1::ReleaseIdentifierResponse {
            reference: whose.map_or_else(String::new, |it| SubjectReference(it).to_string()),
        })
    }
}
