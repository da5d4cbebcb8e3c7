//! What an outsider gets, and what it proves with the verifying key alone.

use std::time::Duration;

use custody_ledger::ShardId;
use custody_proof::evidence::CompletenessProof;
use custody_proto::v1::ProveCompletenessRequest;
use custody_query::LineageApi;

use super::Story;
use super::persons::ask;
use crate::command::verify::own_keys;
use crate::config::Config;
use crate::error::CommandError;
use crate::node::Node;
use crate::output::{bytes, count};

/// How long the notary may take to sign what is durable.
const SIGNED_WITHIN: Duration = Duration::from_secs(60);

/// Proves that nothing is missing from the answers about a person.
pub(super) fn show(
    story: &mut Story,
    node: &Node,
    config: &Config,
    id: &str,
) -> Result<(), CommandError> {
    let failed = |what: String| CommandError::Stopped {
        what: "proving",
        reason: what,
    };
    let sizes: Vec<(ShardId, u64)> = node
        .ledger()
        .shards()
        .iter()
        .map(|(_, head)| (head.shard, head.size))
        .collect();
    let published = node
        .ledger()
        .wait_published(&sizes, SIGNED_WITHIN)
        .ok_or_else(|| failed("no checkpoint covers what is durable".to_owned()))?;
    story.step(format_args!(
        "Checkpoint {} of {} is signed: {} entries of {} shards, each block read again from the disk before.",
        published.sequence,
        published.origin,
        count(sizes.iter().map(|(_, size)| size).sum()),
        published.shards.len(),
    ))?;
    let api = LineageApi::new(node.query_state());
    let answer = ask(
        &api,
        ProveCompletenessRequest {
            subject: id.to_owned(),
            at_least: None,
        },
    )?;
    let proof = CompletenessProof::from_json(&answer.document)
        .map_err(|error| failed(error.to_string()))?;
    let proved = proof
        .verify(&own_keys(config))
        .map_err(|error| failed(error.to_string()))?;
    let records = proved.subjects.iter().flat_map(|subject| &subject.shards);
    let (mut entries, mut with, mut without) = (0, 0, 0);
    for (_, record) in records {
        match record {
            Some(record) => {
                entries += record.count;
                with += 1;
            }
            None => without += 1,
        }
    }
    story.say(format_args!(
        "With its verifying key alone, {} prove that the ledger holds {} entries of {id}: in {with} of its \
         {} shards, and none in the others.",
        bytes(answer.document.len() as u64),
        count(entries),
        with + without,
    ))?;
    Ok(())
}
