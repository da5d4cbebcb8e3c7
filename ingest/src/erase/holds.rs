//! Holds: what stands against erasing.

use std::collections::BTreeSet;

use custody_ledger::{HouseRecord, Kind, SubjectReference};

use super::order::{MAX_SUBJECTS, check_code};
use super::{EraseError, Hold, Registrar};
use crate::state::Reference;

impl Registrar {
    /// From now on nobody of these is erased, and nobody at all where none is
    /// named, until the hold is lifted or `until_ns` (nanoseconds since 1970 UTC,
    /// not included). What began goes on. One matter may have several holds.
    ///
    /// # Errors
    /// [`EraseError::NotACode`], [`EraseError::UnknownPerson`],
    /// [`EraseError::RunOut`], [`EraseError::TooMany`]; or the ledger fails.
    pub fn place_hold(
        &self,
        matter: &str,
        subjects: &[Reference],
        until_ns: Option<i64>,
    ) -> Result<Hold, EraseError> {
        check_code("matter", matter)?;
        if subjects.len() > MAX_SUBJECTS {
            let count = subjects.len();
            return Err(EraseError::TooMany { count });
        }
        let _working = self.work()?;
        if until_ns.is_some_and(|until_ns| until_ns <= (self.desk.clock)()) {
            return Err(EraseError::RunOut);
        }
        self.check_known(subjects)?;
        let record = HouseRecord::HoldPlaced {
            matter: matter.to_owned(),
            subjects: said(subjects),
            until_ns,
        };
        self.say(Kind::HoldPlaced, record)?;
        let placed = self.holds().pop();
        placed.ok_or(EraseError::RunOut)
    }

    /// Lifts the holds for a matter: of these, or all of them where nobody is
    /// named. What waited for nothing else goes on, by itself where a pipeline
    /// runs, else before this returns.
    ///
    /// # Errors
    /// [`EraseError::NoSuchHold`] where there is none for the matter, or none of
    /// them is named by a hold: one of everybody is lifted as a whole. Or the
    /// ledger fails.
    pub fn lift_hold(&self, matter: &str, subjects: &[Reference]) -> Result<(), EraseError> {
        let working = self.work()?;
        let named: BTreeSet<&Reference> = subjects.iter().collect();
        let concerns = |hold: &Hold| match &hold.subjects {
            _ if named.is_empty() => true,
            None => false,
            Some(held) => held.iter().any(|subject| named.contains(subject)),
        };
        let holds = self.holds();
        if !holds
            .iter()
            .any(|hold| hold.matter == matter && concerns(hold))
        {
            let matter = matter.to_owned();
            return Err(EraseError::NoSuchHold { matter });
        }
        let record = HouseRecord::HoldLifted {
            matter: matter.to_owned(),
            subjects: said(subjects),
        };
        self.say(Kind::HoldLifted, record)?;
        self.tell(working)
    }

    /// The holds that stand, in the order in which they were placed.
    pub fn holds(&self) -> Vec<Hold> {
        let now_ns = (self.desk.clock)();
        self.records.lock().holds(now_ns).cloned().collect()
    }
}

fn said(subjects: &[Reference]) -> Vec<SubjectReference> {
    let each: BTreeSet<Reference> = subjects.iter().copied().collect();
    each.into_iter().map(SubjectReference).collect()
}
