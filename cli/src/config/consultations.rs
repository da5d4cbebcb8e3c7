//! What is written down of who looked, and who may watch.

use custody_ledger::Digest;
use custody_query::{CallerRules, ConsultationMode, ConsultationOptions};
use serde::{Deserialize, Serialize};

/// What is written down of who looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Consultations {
    /// Whether, and what becomes of an answer whose consultation cannot be
    /// kept. Default `best_effort`.
    pub mode: Keeping,
    /// So many wait to be written at most. Default 10000.
    pub queue: usize,
    /// Whether who asks must be said. Default false.
    pub caller_required: bool,
    /// Whether a reason must be given. Default false.
    pub reason_required: bool,
    /// The role of a caller who names none. Default none.
    pub default_role: String,
}

/// Whether consultations are kept, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keeping {
    /// Nothing is written.
    Off,
    /// An answer does not wait; what cannot be kept is lost, and said.
    #[default]
    BestEffort,
    /// An answer leaves when its consultation is durable, and not without.
    Durable,
}

/// Who may watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Watch {
    /// How many streams may be open at once. Default 256.
    pub limit: usize,
}

impl Consultations {
    /// How the node keeps them, under these rules; `None`: not at all.
    pub fn options(&self, ruleset: Digest) -> Option<ConsultationOptions> {
        let mode = match self.mode {
            Keeping::Off => return None,
            Keeping::BestEffort => ConsultationMode::BestEffort,
            Keeping::Durable => ConsultationMode::Durable,
        };
        Some(ConsultationOptions {
            mode,
            queue: self.queue,
            callers: CallerRules {
                caller_required: self.caller_required,
                reason_required: self.reason_required,
                default_role: self.default_role.clone(),
            },
            ..ConsultationOptions::new(ruleset)
        })
    }
}

impl Default for Consultations {
    fn default() -> Self {
        Self {
            mode: Keeping::default(),
            queue: 10_000,
            caller_required: false,
            reason_required: false,
            default_role: String::new(),
        }
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            limit: custody_query::service::DEFAULT_WATCHERS,
        }
    }
}
