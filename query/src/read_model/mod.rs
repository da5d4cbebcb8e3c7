//! The read model: the ledger's public part again, clustered by person.
//!
//! It follows the ledger by position: the rows of a block and the position
//! after it are written together, so that a crash neither loses nor repeats.
//! Everything here is derived. An older or newer format, another ledger's
//! rows, a position that the ledger does not know (a ledger restored from a
//! backup), files that cannot be opened: each ends in a new, empty read model
//! that fills itself from the ledger.
//!
//! Findings are kept by code, policy and time beside that, for answers over all
//! persons, and later judgements by the entry that was judged again. A block's
//! rows follow from that block alone: what a later judgement supersedes is
//! joined when asked, so that it does not matter which shard was read first.
//! Kept rows (who received what, what went abroad, the register of processing)
//! do change with what comes later, and each [`Visible`] sees them as they stood
//! at its head.
//!
//! Nothing that was sealed is in here; a row names the block that holds it.

mod error;
mod key;
mod rights;
mod row;

mod finding;
mod link;

mod cell;
mod cell_view;
mod kept;

mod said;

mod apply;
mod sorter;

mod counted;
mod counts;
mod settle;
mod standing;
mod touched;

mod keyspaces;
mod store;
mod write;

mod follow;
mod held_views;
mod parties;
mod visible;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use custody_ledger::entry::EntryRef;
use custody_ledger::id::{EventTag, LedgerId, SubjectReference};
use custody_ledger::{Head, Ledger, ShardDescriptor};
use parking_lot::Mutex;
use tokio::sync::watch;

pub use cell::{Cell, Counts, Mark};
pub use cell_view::{CellView, CountsView, MarkView, StoredCell};
pub use error::ReadModelError;
pub use finding::{FindingKey, FindingRow, FindingsFrom, Rejudgement};
pub(crate) use finding::{overdue_outcome, policy_of_overdue};
pub use follow::{CatchUp, Follower};
pub use kept::{AbroadKey, ActivityKey, Destination, ReceivedKey, Recipient};
pub(crate) use kept::{is_abroad, is_processing, purposes_of, safeguard};
pub use key::Place;
pub use link::{HeldRow, Holder, Tie, TieRow};
pub use rights::RightsRows;
pub use row::{EventRow, StoredEvent};
pub use store::{AllEvents, EventRows, FindingRows, HeldRows};
pub use visible::{Following, Visible, VisibleShard};

use counts::Everybody;
use held_views::HeldViews;
use parties::Parties;
use store::Store;
use touched::Touched;
use visible::Publisher;

/// Under which reference entries stand that are nobody's.
pub const NOBODY: SubjectReference = apply::NOBODY;

/// How the read model is kept.
#[derive(Clone, Debug)]
pub struct ReadModelOptions {
    /// Memory for blocks read before, in bytes. Default: 64 MiB.
    pub cache_bytes: u64,
    /// Where so many events or more are to be taken in, they are sorted and
    /// written as tables of their own. Default: 30,000; fewer would leave too
    /// many tables.
    pub bulk_events: u64,
    /// Memory for sorting them, in bytes; about three times as much is used.
    /// What is more lies in a file in the read model's directory meanwhile,
    /// which needs as much room there as the read model will. Default: 32 MiB.
    pub sort_bytes: usize,
}

impl Default for ReadModelOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 64 << 20,
            bulk_events: 30_000,
            sort_bytes: 32 << 20,
        }
    }
}

/// What is known of an organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    /// Its name; may be empty.
    pub name: String,
    /// Its recipient category; may be empty.
    pub category: String,
    /// Where it is established; may be empty.
    pub country: String,
}

/// A handle to the open read model; clones share it.
#[derive(Clone)]
pub struct ReadModel {
    inner: Arc<Inner>,
}

struct Inner {
    directory: PathBuf,
    ledger: LedgerId,
    options: ReadModelOptions,
    store: Store,
    touched: Touched,
    held: Mutex<HeldViews>,
    parties: Parties,
    publisher: Publisher,
    /// Held while rows are taken in: one writer at a time, who knows kept rows
    /// over everybody from the round before.
    writer: Mutex<Everybody>,
}

impl ReadModel {
    /// Opens the read model of `ledger` in `directory`, where nothing else is
    /// kept. What is not of this ledger, format and history is deleted and
    /// starts empty. Call [`ReadModel::catch_up`] or [`ReadModel::follow`]
    /// next.
    ///
    /// # Errors
    /// [`ReadModelError::Locked`] where another process has it open, else what
    /// the files or the ledger say.
    pub fn open(
        directory: &Path,
        ledger: &Ledger,
        options: &ReadModelOptions,
    ) -> Result<Self, ReadModelError> {
        let store = Store::open(directory, ledger.id(), options)?;
        let positions = store.positions();
        let known = match &positions {
            Ok(heads) => follow::is_known_to(ledger, heads)?,
            Err(_) => false,
        };
        if known {
            return Self::over(directory, ledger, options, store, positions?);
        }
        tracing::warn!("the read model does not fit the ledger and is made anew");
        drop(store);
        Self::create(directory, ledger, options)
    }

    /// Deletes what is in `directory`, fills it from the ledger and says how
    /// far it has come after each step.
    ///
    /// # Errors
    /// As [`ReadModel::open`] and [`ReadModel::catch_up`].
    pub fn rebuild(
        directory: &Path,
        ledger: &Ledger,
        options: &ReadModelOptions,
        progress: &mut dyn FnMut(CatchUp),
    ) -> Result<Self, ReadModelError> {
        let model = Self::create(directory, ledger, options)?;
        model.catch_up(ledger, progress)?;
        model.inner.store.persist()?;
        Ok(model)
    }

    fn create(
        directory: &Path,
        ledger: &Ledger,
        options: &ReadModelOptions,
    ) -> Result<Self, ReadModelError> {
        let store = Store::create(directory, ledger.id(), options)?;
        Self::over(directory, ledger, options, store, Vec::new())
    }

    fn over(
        directory: &Path,
        ledger: &Ledger,
        options: &ReadModelOptions,
        store: Store,
        positions: Vec<Head>,
    ) -> Result<Self, ReadModelError> {
        let touched = Touched::default();
        store.touch(&touched)?;
        let positions: HashMap<_, _> = positions
            .into_iter()
            .map(|head| (head.shard, head))
            .collect();
        let mut shards = BTreeMap::new();
        for (descriptor, _) in ledger.shards() {
            let shard = descriptor.id();
            let head = positions.get(&shard).copied();
            let head = head.unwrap_or_else(|| origin(&descriptor, ledger.id()));
            shards.insert(shard, VisibleShard { descriptor, head });
        }
        let visible = Visible {
            shards,
            following: Following::CatchingUp,
            view: Some(store.view()),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                directory: directory.to_owned(),
                ledger: ledger.id(),
                options: options.clone(),
                store,
                touched,
                held: Mutex::default(),
                parties: Parties::default(),
                publisher: Publisher::new(visible),
                writer: Mutex::default(),
            }),
        })
    }

    /// Where it lies.
    pub fn directory(&self) -> &Path {
        &self.inner.directory
    }

    /// Whose rows it holds.
    pub fn ledger(&self) -> LedgerId {
        self.inner.ledger
    }

    /// Everything that has been taken in. Rows beyond it may exist already and
    /// must not be shown.
    pub fn visible(&self) -> Arc<Visible> {
        self.inner.publisher.current()
    }

    /// Tells tasks when more becomes visible.
    pub fn watch(&self) -> watch::Receiver<Arc<Visible>> {
        self.inner.publisher.subscribe()
    }

    /// Waits on this thread until `enough` says so, or until the deadline.
    /// Returns what is visible then, and whether it is enough.
    pub fn wait_until(
        &self,
        deadline: Instant,
        enough: impl FnMut(&Visible) -> bool,
    ) -> (Arc<Visible>, bool) {
        self.inner.publisher.wait_until(deadline, enough)
    }

    /// Remembers for a while how kept rows stand at these heads: pages of an
    /// answer rest on the head of its first.
    pub(crate) fn hold(&self, visible: &Visible) {
        self.inner.held.lock().hold(visible);
    }

    /// The same heads with kept rows, where it is known how they stood.
    pub(crate) fn with_kept(&self, head: Visible) -> Visible {
        self.inner.held.lock().give(head, &self.visible())
    }

    /// A person's events from `first` to `last`, both included, in order.
    pub fn events(&self, subject: &SubjectReference, first: &Place, last: &Place) -> EventRows {
        self.inner.store.events(subject, first, last)
    }

    /// One event of a person.
    ///
    /// # Errors
    /// What the store says.
    pub fn event(
        &self,
        subject: &SubjectReference,
        place: &Place,
    ) -> Result<Option<EventRow>, ReadModelError> {
        self.inner.store.event(subject, place)
    }

    /// The same as it is stored.
    ///
    /// # Errors
    /// What the store says.
    pub fn stored_event(
        &self,
        subject: &SubjectReference,
        place: &Place,
    ) -> Result<Option<StoredEvent>, ReadModelError> {
        self.inner.store.stored_event(subject, place)
    }

    /// One event of a person whose time is not known: looked for among the
    /// person's events, which takes as long as reading them.
    ///
    /// # Errors
    /// What the store says.
    pub fn find_event(
        &self,
        subject: &SubjectReference,
        at: &EntryRef,
    ) -> Result<Option<EventRow>, ReadModelError> {
        self.inner.store.find_event(subject, at)
    }

    /// Where a person's events stand that are tied to a tag, in order.
    ///
    /// # Errors
    /// What the store says.
    pub fn tied(
        &self,
        subject: &SubjectReference,
        tag: &EventTag,
        tie: Tie,
    ) -> Result<Vec<Place>, ReadModelError> {
        self.inner.store.tied(subject, tag, tie)
    }

    /// Everything that leads from a person's tags to events, in the order of
    /// tags and ties.
    pub fn ties(
        &self,
        subject: &SubjectReference,
    ) -> impl Iterator<Item = Result<TieRow, ReadModelError>> + use<> {
        self.inner.store.ties(subject)
    }

    /// What a recipient or a system had, by person and then by time, from a
    /// person on.
    pub fn held(&self, holder: &Holder, from: &SubjectReference) -> HeldRows {
        self.inner.store.held(holder, from)
    }

    /// Everybody's entries in the order of the references; those that are
    /// nobody's first, under [`NOBODY`].
    pub fn all_events(&self) -> AllEvents {
        self.inner.store.all_events()
    }

    /// `false` where no event of this person was taken back, as far as anything
    /// was taken in.
    pub fn may_have_retracted(&self, subject: &SubjectReference) -> bool {
        self.inner.touched.may_have_retracted(subject)
    }

    /// `false` where this event was not taken back, as far as anything was taken
    /// in.
    pub fn may_be_retracted(&self, subject: &SubjectReference, tag: &EventTag) -> bool {
        self.inner.touched.may_be_retracted(subject, tag)
    }

    /// `false` where this entry was not judged again, as far as anything was
    /// taken in.
    pub fn may_be_rejudged(&self, of: &EntryRef) -> bool {
        self.inner.touched.may_be_rejudged(of)
    }

    /// Where requests, their answers and what was found overdue of them stand:
    /// of one person, or of everybody.
    pub fn rights(&self, subject: Option<&SubjectReference>) -> RightsRows {
        self.inner.store.rights(subject)
    }

    /// Findings over all persons, in the order of their keys.
    pub fn findings(&self, from: FindingsFrom<'_>) -> FindingRows {
        self.inner.store.findings(from)
    }

    /// The entry of a finding that is nobody's in particular; `None` where it
    /// is somebody's and has a row of its own.
    ///
    /// # Errors
    /// [`ReadModelError::DamagedRow`].
    pub fn entry_of(
        &self,
        key: &FindingKey,
        row: &FindingRow,
    ) -> Result<Option<EventRow>, ReadModelError> {
        let has_own_row = row.entry.is_empty();
        (!has_own_row)
            .then(|| row::decode_event(key.place, row.entry.as_slice()))
            .transpose()
    }

    /// Later judgements of a person's entries, as known in `visible` and at
    /// `recorded_until_ns`: in the order of the entries, then of the house
    /// shard. The last of an entry is in force.
    ///
    /// # Errors
    /// What the store says.
    pub fn rejudgements(
        &self,
        subject: &SubjectReference,
        visible: &Visible,
        recorded_until_ns: i64,
    ) -> Result<Vec<Rejudgement>, ReadModelError> {
        let rows = self.inner.store.rejudgements(subject.as_bytes())?;
        Ok(known(rows, visible, recorded_until_ns))
    }

    /// Later judgements of one entry, as [`ReadModel::rejudgements`].
    ///
    /// # Errors
    /// What the store says.
    pub fn rejudgements_of(
        &self,
        subject: &SubjectReference,
        of: &EntryRef,
        visible: &Visible,
        recorded_until_ns: i64,
    ) -> Result<Vec<Rejudgement>, ReadModelError> {
        let prefix = key::rejudgement_prefix(subject, of);
        let rows = self.inner.store.rejudgements(&prefix)?;
        Ok(known(rows, visible, recorded_until_ns))
    }

    /// The tags of a person's events that were taken back, as known in
    /// `visible` and, where given, at `recorded_until_ns`.
    ///
    /// # Errors
    /// What the store says.
    pub fn retracted(
        &self,
        subject: &SubjectReference,
        visible: &Visible,
        recorded_until_ns: i64,
    ) -> Result<Vec<EventTag>, ReadModelError> {
        let rows = self.inner.store.retractions(subject.as_bytes())?;
        let known = rows
            .into_iter()
            .filter(|row| row.is_known(visible, recorded_until_ns));
        Ok(known.map(|row| row.of).collect())
    }

    /// Whether one event of a person was taken back, as
    /// [`ReadModel::retracted`].
    ///
    /// # Errors
    /// What the store says.
    pub fn is_retracted(
        &self,
        subject: &SubjectReference,
        tag: &EventTag,
        visible: &Visible,
        recorded_until_ns: i64,
    ) -> Result<bool, ReadModelError> {
        let prefix = key::retraction_prefix(subject, tag);
        let rows = self.inner.store.retractions(&prefix)?;
        Ok(rows
            .iter()
            .any(|row| row.is_known(visible, recorded_until_ns)))
    }

    /// What is known of an organisation in `visible` and at
    /// `recorded_until_ns`. What was said first of a member stands; `None`
    /// where nothing was.
    ///
    /// # Errors
    /// What the store says.
    pub fn party(
        &self,
        id: &str,
        visible: &Visible,
        recorded_until_ns: i64,
    ) -> Result<Option<Party>, ReadModelError> {
        let house = visible.size(&ShardDescriptor::house().id());
        let mut known: Option<Party> = None;
        for (sequence, row) in self.inner.parties.of(&self.inner.store, id)?.iter() {
            if *sequence >= house || row.recorded_time_ns > recorded_until_ns {
                continue;
            }
            let party = known.get_or_insert_default();
            for (member, said) in [
                (&mut party.name, &row.name),
                (&mut party.category, &row.category),
                (&mut party.country, &row.country),
            ] {
                if member.is_empty() {
                    member.clone_from(said);
                }
            }
        }
        Ok(known)
    }
}

fn known(
    mut rows: Vec<Rejudgement>,
    visible: &Visible,
    recorded_until_ns: i64,
) -> Vec<Rejudgement> {
    let house = visible.size(&ShardDescriptor::house().id());
    rows.retain(|row| row.sequence < house && row.recorded_time_ns <= recorded_until_ns);
    rows
}

/// Where a shard stands before its first block.
pub(crate) fn origin(descriptor: &ShardDescriptor, ledger: LedgerId) -> Head {
    let genesis = descriptor.genesis(ledger);
    Head {
        shard: descriptor.id(),
        blocks: 0,
        size: 0,
        next_offset: (!descriptor.is_house()).then_some(0),
        chain_head: genesis,
        block_digest: genesis,
        recorded_time_ns: 0,
        epoch: descriptor.epoch,
    }
}
