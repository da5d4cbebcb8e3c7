//! Where a trace begins and how far it goes.

use custody_proto::v1::EntryPosition;
use custody_proto::v1::trace_lineage_request::Direction;

use crate::client::Tracing;
use crate::error::CommandError;

/// Which part of a trace is shown.
#[derive(clap::Args)]
#[command(next_help_heading = "Trace")]
pub(super) struct TraceFlags {
    /// Only what is tied to this entry, as a timeline's JSON has its position
    #[arg(long, value_name = "SHARD/SEQUENCE")]
    start: Option<String>,
    /// Back to where data came from, on to what was made of it, or both
    #[arg(long, value_enum, default_value = "both")]
    direction: Way,
    /// At most so many steps from where it begins
    #[arg(long, value_name = "STEPS", value_parser = clap::value_parser!(i32).range(1..))]
    depth: Option<i32>,
    /// At most so many entries
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..))]
    max_nodes: Option<i32>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Way {
    Both,
    /// Back.
    Upstream,
    /// On.
    Downstream,
}

impl TraceFlags {
    pub(super) fn read(&self) -> Result<Tracing, CommandError> {
        Ok(Tracing {
            start: self.start.as_deref().map(position).transpose()?,
            direction: match self.direction {
                Way::Both => Direction::Both,
                Way::Upstream => Direction::Upstream,
                Way::Downstream => Direction::Downstream,
            },
            max_depth: self.depth,
            max_nodes: self.max_nodes,
        })
    }
}

fn position(text: &str) -> Result<EntryPosition, CommandError> {
    let parts = text.split_once('/');
    let parts = parts.and_then(|(shard, sequence)| Some((shard, sequence.parse().ok()?)));
    let (shard, sequence) = parts.ok_or_else(|| {
        CommandError::Usage(
            "--start is a shard's id and a sequence, such as \
             0f1e2d3c4b5a69788796a5b4c3d2e1f0/17"
                .to_owned(),
        )
    })?;
    Ok(EntryPosition {
        shard: shard.to_owned(),
        sequence,
        offset: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_a_shard_and_a_sequence() {
        let start = position("0f1e2d3c4b5a69788796a5b4c3d2e1f0/17").unwrap();
        assert_eq!(start.shard, "0f1e2d3c4b5a69788796a5b4c3d2e1f0");
        assert_eq!((start.sequence, start.offset), (17, None));
        for wrong in ["", "17", "0f/", "0f/x", "0f/-1"] {
            assert!(position(wrong).is_err(), "{wrong}");
        }
    }
}
