//! GDPRbench's operations that map, and its mixes of them.

use crate::workload::SplitMix;

/// An operation that both sides can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    CreateRecord,
    DeleteByUser,
    DeleteByKey,
    UpdateDataByKey,
    UpdateMetadataByKey,
    UpdateMetadataByUser,
    ReadDataByKey,
    ReadDataByUser,
    ReadMetadataByKey,
}

impl Operation {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CreateRecord => "create-record",
            Self::DeleteByUser => "delete-record-by-usr",
            Self::DeleteByKey => "delete-record-by-key",
            Self::UpdateDataByKey => "update-data-by-key",
            Self::UpdateMetadataByKey => "update-metadata-by-key",
            Self::UpdateMetadataByUser => "update-metadata-by-usr",
            Self::ReadDataByKey => "read-data-by-key",
            Self::ReadDataByUser => "read-data-by-usr",
            Self::ReadMetadataByKey => "read-metadata-by-key",
        }
    }
}

/// Who asks. In an order in which none finds what another deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mix {
    Processor,
    Customer,
    Controller,
}

impl Mix {
    pub(crate) const ALL: [Self; 3] = [Self::Processor, Self::Customer, Self::Controller];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Processor => "processor",
            Self::Customer => "customer",
            Self::Controller => "controller",
        }
    }

    /// Whether records are drawn by Zipf's law; else each is as likely.
    pub(crate) const fn is_skewed(self) -> bool {
        matches!(self, Self::Customer)
    }

    /// What it does that maps, with its weight of 600: those of the published
    /// code (github.com/GDPRbench/GDPRbench, 94d399c), a group's divided evenly.
    /// What does not map is left out, and the rest keeps its weight to each
    /// other.
    pub(crate) const fn operations(self) -> &'static [(Operation, u64)] {
        match self {
            Self::Processor => &[
                (Operation::ReadDataByKey, 120),
                (Operation::ReadDataByUser, 240),
            ],
            Self::Customer => &[
                (Operation::ReadDataByUser, 120),
                (Operation::ReadMetadataByKey, 120),
                (Operation::UpdateDataByKey, 120),
                (Operation::UpdateMetadataByKey, 120),
                (Operation::DeleteByKey, 120),
            ],
            Self::Controller => &[
                (Operation::CreateRecord, 150),
                (Operation::DeleteByUser, 50),
                (Operation::UpdateMetadataByUser, 150),
            ],
        }
    }

    pub(crate) fn draw(self, dice: &mut SplitMix) -> Operation {
        let operations = self.operations();
        let mut left = dice.below(operations.iter().map(|(_, weight)| weight).sum());
        for (operation, weight) in operations {
            if left < *weight {
                return *operation;
            }
            left -= weight;
        }
        operations[0].0
    }
}
