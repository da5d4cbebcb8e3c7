//! The anchor of commits: how far each shard had come.

use std::collections::BTreeMap;
use std::path::Path;

use crate::anchor::{self, AnchorState};
use crate::error::OpenError;
use crate::fault::Place;
use crate::id::{LedgerId, ShardId};
use crate::shard::Head;
use crate::verify::report::VerifyReport;

/// The newest heads that the anchor names. `at_rest`: nobody can have been
/// writing it.
pub(super) fn read(
    dir: &Path,
    ledger: LedgerId,
    at_rest: bool,
    report: &mut VerifyReport,
) -> Result<BTreeMap<ShardId, Head>, OpenError> {
    let file = |name: &str| Place::File { path: name.into() };
    let mut newest: Option<AnchorState> = None;
    for (slot, name) in anchor::FILES.into_iter().enumerate() {
        let read = AnchorState::read(dir, slot).map_err(OpenError::io("read", &dir.join(name)))?;
        let what = match read {
            Ok(state) if state.ledger == ledger => {
                if newest
                    .as_ref()
                    .is_none_or(|newest| newest.generation < state.generation)
                {
                    newest = Some(state);
                }
                continue;
            }
            Ok(_) => "it belongs to another ledger".to_owned(),
            Err(error) => error.to_string(),
        };
        // A crash while one of them was written leaves it so; a ledger that
        // was closed has both.
        if at_rest {
            report.fault(file(name), &what);
        } else {
            report.warnings.push(format!("file {name}: {what}"));
        }
    }
    if newest.is_none() && !at_rest {
        report.fault(
            file(anchor::FILES[0]),
            "neither anchor can be read, so nothing says how far the ledger had come",
        );
    }
    Ok(newest.map(|state| state.heads).unwrap_or_default())
}
