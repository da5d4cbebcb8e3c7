//! The state as bytes, for whoever keeps it (sealed).
//!
//! A version byte, then the fields in bincode's legacy configuration
//! (little-endian, fixed-width integers). Terms stand as CURIEs: their
//! numbers change with the vocabulary. The bytes are derived and may be
//! thrown away at any time.

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use bincode::{Decode, Encode};

use super::{
    ErasureClaim, FirstCollection, Moment, RightsRequestState, Statement, StatementKind,
    SubjectState, Tag,
};
use crate::facts::ScopeTerm;
use crate::field::Field;
use crate::verdict::EntryRef;
use crate::vocabulary::Vocabulary;

/// The version that is written.
const STATE_VERSION: u8 = 3;

/// The longest state that is read: 1 MiB.
const MAX_STATE_BYTES: usize = 1 << 20;

const CONFIG: Configuration<LittleEndian, Fixint, Limit<MAX_STATE_BYTES>> =
    bincode::config::legacy().with_limit::<MAX_STATE_BYTES>();

/// Bytes that are no state of this version: it is made anew from the ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Another version.
    #[error("a subject state of version {found} is not read; version {STATE_VERSION} is")]
    Version {
        /// What the bytes say.
        found: u8,
    },
    /// Damaged, or of another vocabulary.
    #[error("a subject state that cannot be read")]
    Malformed,
}

#[derive(Encode, Decode)]
struct StoredMoment(i64, [u8; 16], u64, Tag);

#[derive(Encode, Decode)]
struct StoredStatement {
    kind: u8,
    expires_ns: Option<i64>,
    explicit: bool,
    scope: Vec<String>,
    recipients: Vec<String>,
    moment: StoredMoment,
}

#[derive(Encode, Decode)]
struct StoredErasure(StoredMoment, String, Vec<String>);

#[derive(Encode, Decode)]
struct StoredRequest {
    request: Tag,
    right: Option<String>,
    jurisdiction: String,
    extended: bool,
    answered_ns: Option<i64>,
    moment: StoredMoment,
}

#[derive(Encode, Decode)]
struct Stored {
    statements: Vec<StoredStatement>,
    /// In the order of the fields of [`SubjectState`].
    moments: [Vec<StoredMoment>; 8],
    erasures: Vec<StoredErasure>,
    first: Vec<(String, StoredMoment)>,
    collections_dropped: bool,
    requests: Vec<StoredRequest>,
    retracted: Vec<Tag>,
    latest_ns: Option<i64>,
    known_since_ns: Option<i64>,
    marked_ns: Option<i64>,
}

impl SubjectState {
    /// The state as bytes. They say what a person consented to: seal them.
    pub fn encode(&self) -> Vec<u8> {
        let stored = Stored {
            statements: self.statements.iter().map(statement_out).collect(),
            moments: [
                &self.restricted,
                &self.unrestricted,
                &self.fresh,
                &self.closed,
                &self.opened,
                &self.minor,
                &self.adult,
                &self.collections,
            ]
            .map(|moments| moments.iter().map(moment_out).collect()),
            erasures: self
                .erasures
                .iter()
                .map(|claim| {
                    let scope = claim.scope.iter().map(|term| term.curie().to_owned());
                    StoredErasure(
                        moment_out(&claim.moment),
                        claim.service.clone(),
                        scope.collect(),
                    )
                })
                .collect(),
            first: self
                .first
                .iter()
                .map(|first| (first.category.curie().to_owned(), moment_out(&first.moment)))
                .collect(),
            requests: self.requests.iter().map(request_out).collect(),
            collections_dropped: self.collections_dropped,
            retracted: self.retracted.clone(),
            latest_ns: self.latest_ns,
            known_since_ns: self.known_since_ns,
            marked_ns: self.marked_ns,
        };
        let mut bytes = vec![STATE_VERSION];
        // Encoding to a growing vector fails for nothing that is in here; an
        // empty record is read as malformed, and made anew.
        if let Ok(body) = bincode::encode_to_vec(stored, CONFIG) {
            bytes.extend(body);
        }
        bytes
    }

    /// The state of bytes that [`encode`](Self::encode) made.
    ///
    /// # Errors
    /// [`StateError`]; make the state anew from the ledger then.
    pub fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        let (version, body) = bytes.split_first().ok_or(StateError::Malformed)?;
        if *version != STATE_VERSION {
            return Err(StateError::Version { found: *version });
        }
        let (stored, read): (Stored, usize) =
            bincode::decode_from_slice(body, CONFIG).map_err(|_| StateError::Malformed)?;
        if read != body.len() {
            return Err(StateError::Malformed);
        }
        let [
            restricted,
            unrestricted,
            fresh,
            closed,
            opened,
            minor,
            adult,
            collections,
        ] = stored
            .moments
            .map(|moments| moments.into_iter().map(moment_in).collect());
        Ok(Self {
            statements: each(stored.statements, statement_in)?,
            restricted,
            unrestricted,
            erasures: each(stored.erasures, erasure_in)?,
            fresh,
            closed,
            opened,
            minor,
            adult,
            first: each(stored.first, first_in)?,
            collections,
            requests: each(stored.requests, request_in)?,
            collections_dropped: stored.collections_dropped,
            retracted: stored.retracted,
            latest_ns: stored.latest_ns,
            known_since_ns: stored.known_since_ns,
            marked_ns: stored.marked_ns,
        })
    }
}

fn each<S, T>(stored: Vec<S>, read: impl Fn(S) -> Option<T>) -> Result<Vec<T>, StateError> {
    stored
        .into_iter()
        .map(|item| read(item).ok_or(StateError::Malformed))
        .collect()
}

fn moment_out(moment: &Moment) -> StoredMoment {
    StoredMoment(
        moment.time_ns,
        moment.at.shard,
        moment.at.sequence,
        moment.tag,
    )
}

fn moment_in(StoredMoment(time_ns, shard, sequence, tag): StoredMoment) -> Moment {
    Moment {
        time_ns,
        at: EntryRef { shard, sequence },
        tag,
    }
}

fn statement_out(statement: &Statement) -> StoredStatement {
    StoredStatement {
        kind: match statement.kind {
            StatementKind::Given => 1,
            StatementKind::Withdrawn => 2,
            StatementKind::OptedOut => 3,
            StatementKind::Objected => 4,
        },
        expires_ns: statement.expires_ns,
        explicit: statement.explicit,
        scope: statement
            .scope
            .iter()
            .filter_map(|term| term.any().map(|term| term.curie().to_owned()))
            .collect(),
        recipients: statement.recipients.clone(),
        moment: moment_out(&Moment {
            time_ns: statement.time_ns,
            at: statement.at,
            tag: statement.tag,
        }),
    }
}

fn statement_in(stored: StoredStatement) -> Option<Statement> {
    let moment = moment_in(stored.moment);
    Some(Statement {
        kind: match stored.kind {
            1 => StatementKind::Given,
            2 => StatementKind::Withdrawn,
            3 => StatementKind::OptedOut,
            4 => StatementKind::Objected,
            _ => return None,
        },
        time_ns: moment.time_ns,
        expires_ns: stored.expires_ns,
        explicit: stored.explicit,
        scope: stored
            .scope
            .iter()
            .map(|text| ScopeTerm::of(text))
            .collect::<Option<_>>()?,
        recipients: stored.recipients,
        at: moment.at,
        tag: moment.tag,
    })
}

fn erasure_in(StoredErasure(moment, service, scope): StoredErasure) -> Option<ErasureClaim> {
    let vocabulary = Vocabulary::builtin();
    Some(ErasureClaim {
        moment: moment_in(moment),
        service,
        scope: scope
            .iter()
            .map(|text| vocabulary.resolve_quietly(Field::Category, text))
            .collect::<Option<_>>()?,
    })
}

fn first_in((category, moment): (String, StoredMoment)) -> Option<FirstCollection> {
    Some(FirstCollection {
        category: Vocabulary::builtin().resolve_quietly(Field::Category, &category)?,
        moment: moment_in(moment),
    })
}

fn request_out(request: &RightsRequestState) -> StoredRequest {
    StoredRequest {
        request: request.request,
        right: request.right.map(|term| term.curie().to_owned()),
        jurisdiction: request.jurisdiction.clone(),
        extended: request.extended,
        answered_ns: request.answered_ns,
        moment: moment_out(&Moment {
            time_ns: request.received_ns,
            at: request.at,
            tag: request.tag,
        }),
    }
}

fn request_in(stored: StoredRequest) -> Option<RightsRequestState> {
    let moment = moment_in(stored.moment);
    let right = match stored.right {
        Some(text) => Some(Vocabulary::builtin().resolve_quietly(Field::Right, &text)?),
        None => None,
    };
    Some(RightsRequestState {
        request: stored.request,
        right,
        received_ns: moment.time_ns,
        jurisdiction: stored.jurisdiction,
        extended: stored.extended,
        answered_ns: stored.answered_ns,
        at: moment.at,
        tag: moment.tag,
    })
}
