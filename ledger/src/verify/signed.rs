//! The signed anchor: what the ledger said last, over its own signature.

use std::path::Path;

use crate::error::OpenError;
use crate::fault::Place;
use crate::notary::{SIGNED_FILES, SignedState};
use crate::verify::claim::Origin;
use crate::verify::report::VerifyReport;
use crate::verify::statement::{Statement, Texts, Trust};

/// What the signed anchor holds.
pub(super) struct Signed {
    /// The file that it was read from.
    pub(super) place: Place,
    /// Where something was signed, and can be read.
    pub(super) statement: Option<Statement>,
}

/// Reads the newest of both files in `anchor_dir` and checks its signatures.
/// `at_rest`: nobody can have been writing them.
pub(super) fn read(
    dir: &Path,
    anchor_dir: &Path,
    trust: Trust<'_>,
    at_rest: bool,
    report: &mut VerifyReport,
) -> Result<Option<Signed>, OpenError> {
    let place_of = |name: &str| {
        let path = anchor_dir.join(name);
        let relative = path.strip_prefix(dir).map(Path::to_owned);
        Place::File {
            path: relative.unwrap_or(path),
        }
    };
    let mut newest: Option<(Place, SignedState)> = None;
    let mut missing = Vec::new();
    let mut wrong = Vec::new();
    for (slot, name) in SIGNED_FILES.into_iter().enumerate() {
        let path = anchor_dir.join(name);
        let read = SignedState::read(anchor_dir, slot).map_err(OpenError::io("read", &path))?;
        match read {
            None => missing.push(name),
            Some(Ok(state)) if state.ledger == trust.ledger => {
                if newest
                    .as_ref()
                    .is_none_or(|(_, newest)| newest.generation < state.generation)
                {
                    newest = Some((place_of(name), state));
                }
            }
            Some(Ok(_)) => wrong.push((name, "it belongs to another ledger".to_owned())),
            Some(Err(error)) => wrong.push((name, error.to_string())),
        }
    }
    if newest.is_some() {
        wrong.extend(missing.iter().map(|name| (*name, "is missing".to_owned())));
    }
    for (name, what) in &wrong {
        // A crash while one of them was written leaves it so.
        if at_rest || newest.is_none() {
            report.fault(place_of(name), what);
        } else {
            report.warnings.push(format!("file {name}: {what}"));
        }
    }
    let Some((place, state)) = newest else {
        if wrong.is_empty() && !trust.keys.is_empty() {
            report.fault(
                place_of(SIGNED_FILES[0]),
                "is missing: nothing in this ledger is signed",
            );
        }
        return Ok(None);
    };
    let statement = if state.note.is_empty() {
        // Before the first checkpoint it is so; but whoever has keys expects
        // that something is signed with them.
        if !trust.keys.is_empty() {
            report.fault(place.clone(), "is empty: nothing in this ledger is signed");
        }
        None
    } else {
        let texts = Texts {
            note: &state.note,
            manifest: &state.manifest,
            shards: &state.shards,
        };
        if state.manifest.is_empty() {
            report.fault(place.clone(), "it has a checkpoint and no manifest");
        }
        let read = Statement::read(Origin::Signed, texts, trust, &place, &mut report.faults);
        if read
            .as_ref()
            .is_some_and(|read| !read.is_of_epoch(state.epoch))
        {
            report.fault(place.clone(), "its checkpoint is of another epoch");
        }
        read
    };
    Ok(Some(Signed { place, statement }))
}
