//! Answers about one person, from evidence.
//!
//! The [`ReadModel`] follows the ledger by position and holds its public part
//! again, clustered by person; it is derived, holds nothing that was sealed,
//! and one call rebuilds it. [`QueryState`] joins it with ledger and vault;
//! [`QueryServer`] answers over gRPC, [`LineageApi`] without a network. Every
//! answer names the ledger head that it rests on.
//!
//! This crate writes to the ledger only that somebody looked
//! ([`consultation`]), and judges nothing that is in it: what it shows was decided when the entry was recorded, or when it was judged
//! again. A dry run of the judge (`PolicyService.Judge`) knows what is in the
//! request and nothing else. The store is named in `read_model/` only.
//!
//! ```
//! use custody_ledger::{Ledger, LedgerOptions};
//! use custody_proto::v1::GetSubjectRequest;
//! use custody_query::{Deadline, LineageApi, QueryState, ReadModel, ReadModelOptions};
//! use custody_vault::{Vault, VaultOptions};
//!
//! # let data = tempfile::tempdir()?;
//! # let data = data.path();
//! let ledger = Ledger::open(&data.join("ledger"), LedgerOptions::default())?;
//! let vault = Vault::open(&data.join("vault"), &data.join("root.key"), VaultOptions::default())?;
//! vault.admit(&["account:1001"])?;
//!
//! let read_model = ReadModel::open(&data.join("read_model"), &ledger, &ReadModelOptions::default())?;
//! read_model.catch_up(&ledger, &mut |_| {})?;
//!
//! let api = LineageApi::new(QueryState::new(ledger, vault, read_model));
//! let question = GetSubjectRequest { subject: "account:1001".to_owned(), ..Default::default() };
//! let summary = api.ask(question, Deadline::default())?;
//! assert_eq!((summary.entries, summary.identifiers.len()), (0, 1));
//!
//! let nobody = GetSubjectRequest { subject: "account:1002".to_owned(), ..Default::default() };
//! let refused = api.ask(nobody, Deadline::default()).unwrap_err();
//! assert_eq!(refused.code(), tonic::Code::NotFound);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod read_model;

pub mod custodian;

pub mod answer;

pub mod watch;

pub mod consultation;

pub mod backup;

pub mod service;

pub use answer::{
    Ask, Clock, ErasingOptions, OversightFindings, OversightRecipients, OversightTransfers,
    QueryError, QueryState, out_of_reach, public_part,
};
pub use backup::{BackedUp, BackupError, BackupProgress, back_up};
pub use consultation::{
    CallerRules, ConsultationMode, ConsultationOptions, ConsultationWriter, Consultations,
};
pub use custodian::{Custodian, CustodianError, ErasureOrder};
pub use read_model::{
    CatchUp, Follower, Following, ReadModel, ReadModelError, ReadModelOptions, Visible,
};
pub use service::{Deadline, LineageApi, QueryServer, ServeError};
