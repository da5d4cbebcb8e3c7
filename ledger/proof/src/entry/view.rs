//! An entry read in place: texts point into the stored bytes.
//!
//! Whoever shows or counts thousands of entries needs none of their texts for
//! longer than a moment; [`Entry::decode`] makes about twenty of them each.
//! What is rare (entries of version 1, what Custody itself says) is not read
//! here: [`EntryView::read`] leaves it to [`Entry::decode`].

#[cfg(doc)]
use super::Entry;
use super::{Kind, MAX_ENTRY_BYTES, Outcome, VERSION_2};
use crate::error::DecodeError;
use crate::id::{EventTag, SubjectReference};

/// How a stored text's or list's length is written.
const LENGTH_BYTES: usize = 8;

/// One entry, as [`Entry`] has it.
#[derive(Clone, Copy)]
pub struct EntryView<'a> {
    /// See [`Entry::kind_code`].
    pub kind_code: u8,
    /// See [`Entry::offset`].
    pub offset: Option<i64>,
    /// See [`Entry::kafka_time_ms`].
    pub kafka_time_ms: Option<i64>,
    /// See [`Entry::event_time_ns`].
    pub event_time_ns: i64,
    /// See [`Entry::subject`].
    pub subject: Option<SubjectReference>,
    /// See [`Entry::event_tag`].
    pub event_tag: Option<EventTag>,
    /// See [`Entry::parent_tags`].
    pub parent_tags: &'a [[u8; 16]],
    /// See [`Entry::service`].
    pub service: &'a str,
    /// See [`Entry::controller`].
    pub controller: &'a str,
    /// See [`Entry::acting_as`].
    pub acting_as: u8,
    /// See [`Entry::purposes`].
    pub purposes: Texts<'a>,
    /// See [`Entry::categories`].
    pub categories: Texts<'a>,
    /// See [`Entry::legal_basis`].
    pub legal_basis: &'a str,
    /// See [`Entry::jurisdiction`].
    pub jurisdiction: &'a str,
    /// See [`Entry::role`].
    pub role: u8,
    /// See [`Entry::location`].
    pub location: &'a str,
    /// See [`Entry::policy`].
    pub policy: &'a str,
    /// See [`Entry::anonymised`].
    pub anonymised: bool,
    /// See [`Entry::key_mismatch`].
    pub key_mismatch: bool,
    /// See [`Entry::act`].
    pub act: ActView<'a>,
    /// See [`super::Judgement::outcome_code`].
    pub outcome: Outcome,
    /// The policy version judged by.
    pub judged_policy: &'a str,
    /// The clauses that declare what was done.
    pub clauses: Texts<'a>,
    /// How many findings there are. What they say is in [`Entry::decode`].
    pub findings: u64,
    /// See [`super::Judgement::late`].
    pub late: bool,
    /// See [`Entry::sealed`].
    pub sealed: &'a [u8],
}

/// What belongs to one kind of entry, as [`super::Act`] has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The same names mean the same as there.
pub enum ActView<'a> {
    None,
    Collection {
        origin: u8,
        from: Option<PartyView<'a>>,
    },
    Use {
        operation: &'a str,
        system: &'a str,
    },
    Disclosure {
        recipient: PartyView<'a>,
        means: u8,
        sale: bool,
        safeguard: &'a str,
    },
    Transfer {
        recipient: Option<PartyView<'a>>,
        from_country: &'a str,
        to_country: &'a str,
        safeguard: &'a str,
    },
    Retraction {
        of: EventTag,
    },
    RightsRequest {
        right: &'a str,
    },
    RightsResponse {
        outcome: u8,
    },
    Notice {
        clause: &'a str,
    },
}

/// An organisation or a person, as [`super::PartyPart`] has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // The same names mean the same as there.
pub struct PartyView<'a> {
    pub id: &'a str,
    pub category: &'a str,
    pub country: &'a str,
    pub person: bool,
}

/// A list of texts, which have been checked.
#[derive(Clone, Copy, Default)]
pub struct Texts<'a> {
    count: usize,
    bytes: &'a [u8],
}

impl<'a> Texts<'a> {
    /// How many.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut reader = Reader(self.bytes);
        (0..self.count).map_while(move |_| reader.text().ok())
    }
}

impl<'a> EntryView<'a> {
    /// Reads stored bytes, which may come from anybody. `None` where only
    /// [`Entry::decode`] reads them: entries of other versions than 2, breaches,
    /// policies, and what the house says. Whatever is read here is read there,
    /// and says the same.
    ///
    /// # Errors
    /// [`DecodeError`] where a field is malformed or bytes are left over.
    pub fn read(bytes: &'a [u8]) -> Result<Option<Self>, DecodeError> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(DecodeError::TooLong {
                length: bytes.len(),
                limit: MAX_ENTRY_BYTES,
            });
        }
        let (&version, rest) = bytes.split_first().ok_or(DecodeError::Truncated)?;
        if version != VERSION_2 {
            return Ok(None);
        }
        let mut reader = Reader(rest);
        let kind_code = reader.byte()?;
        let kind = Kind::from_code(kind_code)
            .ok_or_else(|| DecodeError::Malformed(format!("kind {kind_code}")))?;
        if kind.is_since_version_3() {
            return Ok(None);
        }
        let offset = reader.optional(Reader::number)?;
        let kafka_time_ms = reader.optional(Reader::number)?;
        let event_time_ns = reader.number()?;
        let subject = reader.optional(Reader::array)?.map(SubjectReference);
        let event_tag = reader.optional(Reader::array)?.map(EventTag);
        let parent_tags = reader.tags()?;
        let service = reader.text()?;
        let controller = reader.text()?;
        let acting_as = reader.byte()?;
        let purposes = reader.texts()?;
        let categories = reader.texts()?;
        let legal_basis = reader.text()?;
        let jurisdiction = reader.text()?;
        let role = reader.byte()?;
        let location = reader.text()?;
        let policy = reader.text()?;
        let anonymised = reader.flag()?;
        let key_mismatch = reader.flag()?;
        let Some(act) = reader.act()? else {
            return Ok(None);
        };
        let code = reader.byte()?;
        let outcome = Outcome::from_code(code)
            .ok_or_else(|| DecodeError::Malformed(format!("outcome {code}")))?;
        let judged_policy = reader.text()?;
        let clauses = reader.texts()?;
        let findings = reader.findings()?;
        let late = reader.flag()?;
        let sealed = reader.bytes()?;
        if !reader.0.is_empty() {
            return Err(DecodeError::TrailingBytes {
                count: reader.0.len(),
            });
        }
        Ok(Some(Self {
            kind_code,
            offset,
            kafka_time_ms,
            event_time_ns,
            subject,
            event_tag,
            parent_tags,
            service,
            controller,
            acting_as,
            purposes,
            categories,
            legal_basis,
            jurisdiction,
            role,
            location,
            policy,
            anonymised,
            key_mismatch,
            act,
            outcome,
            judged_policy,
            clauses,
            findings,
            late,
            sealed,
        }))
    }

    /// The kind.
    pub fn kind(&self) -> Option<Kind> {
        Kind::from_code(self.kind_code)
    }

    /// The other end of a disclosure or transfer.
    pub fn recipient(&self) -> Option<&PartyView<'a>> {
        match &self.act {
            ActView::Disclosure { recipient, .. } => Some(recipient),
            ActView::Transfer { recipient, .. } => recipient.as_ref(),
            _ => None,
        }
    }
}

/// What is left of the stored bytes: bincode's legacy configuration.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (field, rest) = self.0.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(*field)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    fn number(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_le_bytes)
    }

    fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(DecodeError::Malformed(format!("{other} is no boolean"))),
        }
    }

    fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        match self.byte()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            other => Err(DecodeError::Malformed(format!("{other} is no option"))),
        }
    }

    /// A length or a count; more than there can be bytes is cut off.
    fn length(&mut self) -> Result<usize, DecodeError> {
        let length = u64::from_le_bytes(self.array()?);
        usize::try_from(length).map_err(|_| DecodeError::Truncated)
    }

    fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.length()?;
        self.take(length)
    }

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes()?)
            .map_err(|error| DecodeError::Malformed(error.to_string()))
    }

    fn texts(&mut self) -> Result<Texts<'a>, DecodeError> {
        let count = self.length()?;
        // Each has its length at least.
        if count > self.0.len() / LENGTH_BYTES {
            return Err(DecodeError::Truncated);
        }
        let all = self.0;
        for _ in 0..count {
            self.text()?;
        }
        Ok(Texts {
            count,
            bytes: &all[..all.len() - self.0.len()],
        })
    }

    fn tags(&mut self) -> Result<&'a [[u8; 16]], DecodeError> {
        let count = self.length()?;
        let length = count.checked_mul(16).ok_or(DecodeError::Truncated)?;
        let (tags, _) = self.take(length)?.as_chunks();
        Ok(tags)
    }

    fn party(&mut self) -> Result<PartyView<'a>, DecodeError> {
        Ok(PartyView {
            id: self.text()?,
            category: self.text()?,
            country: self.text()?,
            person: self.flag()?,
        })
    }

    /// In the order of [`super::Act`].
    fn act(&mut self) -> Result<Option<ActView<'a>>, DecodeError> {
        Ok(Some(match u32::from_le_bytes(self.array()?) {
            0 => ActView::None,
            1 => ActView::Collection {
                origin: self.byte()?,
                from: self.optional(Self::party)?,
            },
            2 => ActView::Use {
                operation: self.text()?,
                system: self.text()?,
            },
            3 => ActView::Disclosure {
                recipient: self.party()?,
                means: self.byte()?,
                sale: self.flag()?,
                safeguard: self.text()?,
            },
            4 => ActView::Transfer {
                recipient: self.optional(Self::party)?,
                from_country: self.text()?,
                to_country: self.text()?,
                safeguard: self.text()?,
            },
            5 => ActView::Retraction {
                of: EventTag(self.array()?),
            },
            6 => ActView::RightsRequest {
                right: self.text()?,
            },
            7 => ActView::RightsResponse {
                outcome: self.byte()?,
            },
            9 => ActView::Notice {
                clause: self.text()?,
            },
            _ => return Ok(None),
        }))
    }

    /// Passes over what was found; says how much.
    fn findings(&mut self) -> Result<u64, DecodeError> {
        let count = self.length()?;
        for _ in 0..count {
            self.text()?;
            self.texts()?;
            self.texts()?;
            self.flag()?;
            let decided_by = self.length()?;
            let length = decided_by
                .checked_mul(16 + 8)
                .ok_or(DecodeError::Truncated)?;
            self.take(length)?;
            self.text()?;
        }
        Ok(count as u64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::entry::{Act, Entry, EntryRef, Finding, HouseRecord, PartyPart};
    use crate::id::ShardId;

    fn party_of(view: PartyView<'_>) -> PartyPart {
        PartyPart {
            id: view.id.to_owned(),
            category: view.category.to_owned(),
            country: view.country.to_owned(),
            person: view.person,
        }
    }

    fn act_of(view: ActView<'_>) -> Act {
        match view {
            ActView::None => Act::None,
            ActView::Collection { origin, from } => Act::Collection {
                origin,
                from: from.map(party_of),
            },
            ActView::Use { operation, system } => Act::Use {
                operation: operation.to_owned(),
                system: system.to_owned(),
            },
            ActView::Disclosure {
                recipient,
                means,
                sale,
                safeguard,
            } => Act::Disclosure {
                recipient: party_of(recipient),
                means,
                sale,
                safeguard: safeguard.to_owned(),
            },
            ActView::Transfer {
                recipient,
                from_country,
                to_country,
                safeguard,
            } => Act::Transfer {
                recipient: recipient.map(party_of),
                from_country: from_country.to_owned(),
                to_country: to_country.to_owned(),
                safeguard: safeguard.to_owned(),
            },
            ActView::Retraction { of } => Act::Retraction { of },
            ActView::RightsRequest { right } => Act::RightsRequest {
                right: right.to_owned(),
            },
            ActView::RightsResponse { outcome } => Act::RightsResponse { outcome },
            ActView::Notice { clause } => Act::Notice {
                clause: clause.to_owned(),
            },
        }
    }

    fn texts_of(texts: Texts<'_>) -> Vec<String> {
        let all: Vec<String> = texts.iter().map(str::to_owned).collect();
        assert_eq!((all.len(), all.is_empty()), (texts.len(), texts.is_empty()));
        all
    }

    /// The entry that a view shows, but for what its findings say.
    fn entry_of(view: &EntryView<'_>) -> Entry {
        let mut entry = Entry::new(view.kind().unwrap(), view.event_time_ns);
        entry.offset = view.offset;
        entry.kafka_time_ms = view.kafka_time_ms;
        entry.subject = view.subject;
        entry.event_tag = view.event_tag;
        entry.parent_tags = view.parent_tags.iter().map(|tag| EventTag(*tag)).collect();
        entry.service = view.service.to_owned();
        entry.controller = view.controller.to_owned();
        entry.acting_as = view.acting_as;
        entry.purposes = texts_of(view.purposes);
        entry.categories = texts_of(view.categories);
        entry.legal_basis = view.legal_basis.to_owned();
        entry.jurisdiction = view.jurisdiction.to_owned();
        entry.role = view.role;
        entry.location = view.location.to_owned();
        entry.policy = view.policy.to_owned();
        entry.anonymised = view.anonymised;
        entry.key_mismatch = view.key_mismatch;
        entry.act = act_of(view.act);
        entry.judgement.outcome_code = view.outcome as u8;
        entry.judgement.policy = view.judged_policy.to_owned();
        entry.judgement.clauses = texts_of(view.clauses);
        entry.judgement.late = view.late;
        entry.sealed = view.sealed.to_vec();
        entry
    }

    fn text() -> impl Strategy<Value = String> {
        "[a-zé:-]{0,12}"
    }

    fn texts() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec(text(), 0..4)
    }

    fn party() -> impl Strategy<Value = PartyPart> {
        (text(), text(), text(), any::<bool>()).prop_map(|(id, category, country, person)| {
            PartyPart {
                id,
                category,
                country,
                person,
            }
        })
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            Just(Act::None),
            (any::<u8>(), prop::option::of(party()))
                .prop_map(|(origin, from)| Act::Collection { origin, from }),
            (text(), text()).prop_map(|(operation, system)| Act::Use { operation, system }),
            (party(), any::<u8>(), any::<bool>(), text()).prop_map(
                |(recipient, means, sale, safeguard)| Act::Disclosure {
                    recipient,
                    means,
                    sale,
                    safeguard
                }
            ),
            (prop::option::of(party()), text(), text(), text()).prop_map(
                |(recipient, from_country, to_country, safeguard)| Act::Transfer {
                    recipient,
                    from_country,
                    to_country,
                    safeguard
                }
            ),
            any::<[u8; 16]>().prop_map(|of| Act::Retraction { of: EventTag(of) }),
            text().prop_map(|right| Act::RightsRequest { right }),
            any::<u8>().prop_map(|outcome| Act::RightsResponse { outcome }),
            text().prop_map(|clause| Act::Notice { clause }),
            (text(), texts()).prop_map(|(breach_id, recipients)| Act::Breach {
                breach_id,
                recipients,
                from_ns: None,
                to_ns: Some(1),
                notified: vec![1, 2],
            }),
            (text(), text()).prop_map(|(policy, version)| Act::PolicyPublished {
                policy,
                version,
                effective_at_ns: 1,
                addendum: String::new(),
            }),
            any::<[u8; 16]>().prop_map(|shard| Act::House(HouseRecord::ShardOpened {
                shard: ShardId(shard)
            })),
        ]
    }

    fn finding() -> impl Strategy<Value = Finding> {
        (text(), texts(), texts(), any::<bool>(), 0..3u64, text()).prop_map(
            |(code, clauses, arguments, suppressed, decided_by, waiver)| Finding {
                code,
                clauses,
                arguments,
                suppressed,
                decided_by: (0..decided_by)
                    .map(|sequence| EntryRef {
                        shard: ShardId([3; 16]),
                        sequence,
                    })
                    .collect(),
                waiver,
            },
        )
    }

    prop_compose! {
        fn entries()(
            offset in prop::option::of(any::<i64>()),
            kafka_time_ms in prop::option::of(any::<i64>()),
            event_time_ns in any::<i64>(),
            subject in prop::option::of(any::<[u8; 16]>()),
            tags in prop::collection::vec(any::<[u8; 16]>(), 0..4),
            names in (text(), text(), text(), text(), text(), text()),
            lists in (texts(), texts(), texts()),
            numbers in (any::<u8>(), any::<u8>(), 0u8..5),
            flags in any::<(bool, bool, bool)>(),
            act in act(),
            findings in prop::collection::vec(finding(), 0..3),
            sealed in prop::collection::vec(any::<u8>(), 0..40),
        ) -> Entry {
            let mut entry = Entry::new(Kind::Use, event_time_ns);
            entry.offset = offset;
            entry.kafka_time_ms = kafka_time_ms;
            entry.subject = subject.map(SubjectReference);
            entry.event_tag = tags.first().map(|tag| EventTag(*tag));
            entry.parent_tags = tags.iter().map(|tag| EventTag(*tag)).collect();
            (entry.service, entry.controller, entry.legal_basis, entry.jurisdiction,
                entry.location, entry.policy) = names;
            entry.judgement.policy = entry.policy.clone();
            (entry.purposes, entry.categories, entry.judgement.clauses) = lists;
            (entry.acting_as, entry.role, entry.judgement.outcome_code) = numbers;
            (entry.anonymised, entry.key_mismatch, entry.judgement.late) = flags;
            entry.act = act;
            entry.judgement.findings = findings;
            entry.sealed = sealed;
            entry
        }
    }

    /// Where the view reads anything, the whole entry is read and says the same.
    fn agrees(bytes: &[u8]) -> bool {
        let Ok(Some(view)) = EntryView::read(bytes) else {
            return false;
        };
        let mut entry = Entry::decode(bytes).unwrap();
        assert_eq!(view.findings, entry.judgement.findings.len() as u64);
        entry.judgement.findings.clear();
        let shown = entry_of(&view);
        assert!(shown == entry);
        assert_eq!(
            view.recipient().map(|party| party_of(*party)).as_ref(),
            entry.recipient()
        );
        true
    }

    proptest! {
        #[test]
        fn says_what_the_whole_entry_says(entry in entries()) {
            let bytes = entry.encode().unwrap();
            let is_rare = matches!(
                entry.act,
                Act::Breach { .. } | Act::PolicyPublished { .. } | Act::House(_)
            );
            prop_assert_eq!(agrees(&bytes), !is_rare);
            // No cut is taken for the whole.
            for length in 0..bytes.len() {
                prop_assert!(!matches!(EntryView::read(&bytes[..length]), Ok(Some(_))));
            }
        }

        #[test]
        fn reads_no_bytes_otherwise_than_the_whole(
            entry in entries(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut bytes = entry.encode().unwrap();
            for (index, byte) in changes {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            agrees(&bytes);
        }
    }

    #[test]
    fn other_versions_are_left_to_the_whole() {
        let mut bytes = Entry::new(Kind::Use, 1).encode().unwrap();
        for version in [1, 3, 9] {
            bytes[0] = version;
            assert!(matches!(EntryView::read(&bytes), Ok(None)));
        }
        assert!(matches!(EntryView::read(&[]), Err(DecodeError::Truncated)));
    }
}
