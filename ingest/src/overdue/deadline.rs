//! Where deadlines come from.

use custody_policy::law::{self, breach_deadline, response_deadline};

/// When something is due, and by which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The first moment at which it is too late, nanoseconds since 1970 UTC.
    pub due_ns: i64,
    /// The rule, such as `eu-gdpr:A12-3`.
    pub source: &'static str,
}

/// Statutory deadlines by jurisdiction.
pub trait Deadlines: Send + Sync {
    /// Until when a rights request is to be answered that was received at
    /// `received_ns`. `jurisdiction` is ISO 3166-1 or -2, empty where it is not
    /// known; `extended` says that the person was told that it takes longer.
    /// `None` where no deadline is known.
    fn response(&self, jurisdiction: &str, received_ns: i64, extended: bool) -> Option<Deadline>;

    /// Until when the authority is to be notified of a breach that became
    /// known at `known_ns`. `None` where no deadline is known.
    fn breach(&self, jurisdiction: &str, known_ns: i64) -> Option<Deadline>;
}

/// The deadlines of the law, as the policy room has it.
#[derive(Clone, Debug, Default)]
pub struct Statutory {
    /// Whose authority the operator answers to, ISO 3166-1 or -2: a breach is
    /// nobody's in particular, and where it names no jurisdiction it is due by
    /// the law of this one. Empty by default: such a breach is never overdue.
    pub seat: String,
}

impl Deadlines for Statutory {
    fn response(&self, jurisdiction: &str, received_ns: i64, extended: bool) -> Option<Deadline> {
        response_deadline(jurisdiction, received_ns, extended).map(Into::into)
    }

    fn breach(&self, jurisdiction: &str, known_ns: i64) -> Option<Deadline> {
        let jurisdiction = if jurisdiction.is_empty() {
            &self.seat
        } else {
            jurisdiction
        };
        breach_deadline(jurisdiction, known_ns).map(Into::into)
    }
}

impl From<law::Deadline> for Deadline {
    fn from(deadline: law::Deadline) -> Self {
        Self {
            due_ns: deadline.due_ns,
            source: deadline.source,
        }
    }
}
