//! Which rules events are judged by, as the house shard says.

use custody_ledger::{Act, Digest, Entry, HouseRecord, Kind, Ledger, LedgerError};
use custody_policy::{JUDGE_VERSION, Ruleset};
use tracing::info;

/// Says that events are judged by these rules from here on, where the ones
/// adopted last are others.
pub(super) fn adopt(
    ledger: &Ledger,
    ruleset: &Ruleset,
    last: Option<Digest>,
    now_ns: i64,
) -> Result<(), LedgerError> {
    let digest = Digest(ruleset.digest());
    if last == Some(digest) {
        return Ok(());
    }
    let mut entry = Entry::new(Kind::RulesetAdopted, now_ns);
    entry.act = Act::House(HouseRecord::RulesetAdopted {
        digest,
        judge_version: JUDGE_VERSION,
        packs: ruleset
            .policies()
            .map(|policy| (policy.id().to_owned(), Digest(policy.pack().digest())))
            .collect(),
        vocabulary: Digest(Ruleset::vocabulary_digest()),
    });
    ledger.append_house(vec![entry], now_ns, digest)?;
    info!(ruleset = %digest, "events are judged by another ruleset than before");
    Ok(())
}
