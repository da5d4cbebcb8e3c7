//! One policy version, compiled.

use super::tables::Tables;
use crate::pack::{Clause, Pack};

/// One policy version, compiled.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(super) pack: Pack,
    pub(crate) tables: Tables,
}

impl Policy {
    /// Its id, such as `ALB-2025`.
    pub fn id(&self) -> &str {
        self.pack.id()
    }

    /// The policy that it is a version of, such as `ALB`.
    pub fn family(&self) -> &str {
        self.pack.family()
    }

    /// What it is called.
    pub fn title(&self) -> &str {
        self.pack.title()
    }

    /// From when it is in force, nanoseconds since 1970 UTC.
    pub fn effective_ns(&self) -> i64 {
        self.pack.effective_ns()
    }

    /// The pack that it was compiled from.
    pub fn pack(&self) -> &Pack {
        &self.pack
    }

    /// Its clauses.
    pub fn clauses(&self) -> &[Clause] {
        self.pack.clauses()
    }
}
