//! `PlaceHold`, `LiftHold`, `ListHolds`: whose data is to be kept for a matter.

use std::sync::Arc;

use custody_proto::v1;

use super::erase::check_code;
use super::preview::holds_on;
use super::whom::{self, Whom};
use crate::answer::at_least::Wanted;
use crate::answer::error::{Faults, QueryError};
use crate::answer::moment;
use crate::answer::subject;
use crate::answer::{Ask, QueryState};
use crate::read_model::Visible;

fn identifiers(subjects: &[String]) -> Vec<(String, &str)> {
    let subjects = subjects.iter().enumerate();
    subjects
        .map(|(index, subject)| (format!("subjects[{index}]"), subject.as_str()))
        .collect()
}

/// The references of all who are named; `None` where nobody is.
fn references(
    state: &QueryState,
    subjects: &[String],
) -> Result<Option<Vec<[u8; 16]>>, QueryError> {
    if subjects.is_empty() {
        return Ok(None);
    }
    let whom = Whom::find(state, &identifiers(subjects))?;
    Ok(Some(whom.into_references()))
}

impl Ask for v1::PlaceHoldRequest {
    type Answer = v1::PlaceHoldResponse;
    const METHOD: &'static str = "custody.v1.RightsService/PlaceHold";
    /// The vault knows who they are.
    const NEEDS_EVERYTHING: bool = false;

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        state.custodian()?;
        let mut faults = Faults::default();
        check_code("matter", &self.matter, &mut faults);
        whom::check(&identifiers(&self.subjects), &mut faults);
        moment::read(self.until.as_ref(), "until", &mut faults);
        faults.or(Wanted::default())
    }

    fn answer(
        self,
        state: &QueryState,
        _visible: Arc<Visible>,
    ) -> Result<Self::Answer, QueryError> {
        let mut faults = Faults::default();
        let until_ns = moment::read(self.until.as_ref(), "until", &mut faults);
        let until_ns = faults.or(until_ns)?;
        let subjects = references(state, &self.subjects)?;
        let hold = state
            .custodian()?
            .place_hold(&self.matter, subjects, until_ns)?;
        Ok(v1::PlaceHoldResponse { hold: Some(hold) })
    }
}

impl Ask for v1::LiftHoldRequest {
    type Answer = v1::LiftHoldResponse;
    const METHOD: &'static str = "custody.v1.RightsService/LiftHold";
    /// The vault knows who they are.
    const NEEDS_EVERYTHING: bool = false;

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        state.custodian()?;
        let mut faults = Faults::default();
        check_code("matter", &self.matter, &mut faults);
        whom::check(&identifiers(&self.subjects), &mut faults);
        faults.or(Wanted::default())
    }

    fn answer(
        self,
        state: &QueryState,
        _visible: Arc<Visible>,
    ) -> Result<Self::Answer, QueryError> {
        let subjects = references(state, &self.subjects)?;
        state.custodian()?.lift_hold(&self.matter, subjects)?;
        Ok(v1::LiftHoldResponse {})
    }
}

impl Ask for v1::ListHoldsRequest {
    type Answer = v1::ListHoldsResponse;
    const METHOD: &'static str = "custody.v1.RightsService/ListHolds";
    /// The house shard alone says it.
    const NEEDS_EVERYTHING: bool = false;

    fn wanted(&self, state: &QueryState) -> Result<Wanted, QueryError> {
        state.custodian()?;
        let mut faults = Faults::default();
        if !self.subject.is_empty() {
            subject::check(&self.subject, &mut faults);
        }
        faults.or(Wanted::default())
    }

    fn answer(
        self,
        state: &QueryState,
        _visible: Arc<Visible>,
    ) -> Result<Self::Answer, QueryError> {
        let mut holds = state.custodian()?.holds()?;
        if self.subject.is_empty() {
            holds.sort_by(|a, b| a.matter.cmp(&b.matter));
        } else {
            let whom = Whom::find(state, &[("subject".to_owned(), &self.subject)])?;
            holds = holds_on(holds, &whom.references());
        }
        Ok(v1::ListHoldsResponse { holds })
    }
}
