//! Questions about one person, against a plain model.

use custody_ledger::SubjectReference;
use custody_proto::v1;
use prost::Message;

use crate::entry_model::{Show, shown};
use crate::oracle::{Oracle, Question};
use crate::wire::readable;
use crate::world::World;

/// The person that is asked about, as a test knows them.
#[derive(Clone, Debug)]
pub(crate) struct Whose {
    /// By which identifier they are asked for.
    pub(crate) subject: String,
    /// Theirs and of everybody linked, the one asked for first.
    pub(crate) references: Vec<SubjectReference>,
    /// Of all of them; those that are theirs alone first.
    pub(crate) identifiers: Vec<String>,
}

impl Whose {
    /// The person as the vault knows them.
    pub(crate) fn looked_up(world: &World, subject: &str) -> Option<Self> {
        let identity = world.vault.lookup(subject).unwrap()?;
        let persons = identity.persons.iter();
        Some(Self {
            subject: subject.to_owned(),
            references: persons
                .map(|person| SubjectReference(person.reference()))
                .collect(),
            identifiers: identity.identifiers,
        })
    }
}

/// The same, or the place where they part.
pub(crate) fn assert_same<T: PartialEq + Message>(answer: &[T], expected: &[T]) {
    let both = answer.iter().zip(expected);
    if let Some(number) = both
        .into_iter()
        .position(|(answer, expected)| answer != expected)
    {
        panic!(
            "number {number} is\n{}\nand not\n{}",
            readable(&answer[number]),
            readable(&expected[number])
        );
    }
    assert_eq!(answer.len(), expected.len(), "rows");
}

/// All pages of an answer: `ask` gives the page of a token, and the next token.
pub(crate) fn walk<T>(page_size: i32, mut ask: impl FnMut(String) -> (Vec<T>, String)) -> Vec<T> {
    let most = match page_size {
        0 => 100,
        size => usize::try_from(size).unwrap().min(1000),
    };
    let (mut rows, mut token) = (Vec::new(), String::new());
    loop {
        let (page, next) = ask(token);
        assert!(page.len() <= most);
        assert!(next.is_empty() || !page.is_empty());
        rows.extend(page);
        token = next;
        if token.is_empty() {
            return rows;
        }
    }
}

pub(crate) fn check_subject(world: &World, whose: &Whose, question: &Question) {
    let mut summary = world
        .ask(v1::GetSubjectRequest {
            subject: whose.subject.clone(),
            as_of: question.as_of,
            ..Default::default()
        })
        .unwrap();
    let references = whose.references.iter().map(ToString::to_string);
    let mut expected = references.collect::<Vec<_>>();
    assert_eq!(summary.references.first(), expected.first());
    summary.references.sort();
    expected.sort();
    assert_eq!(summary.references, expected);
    assert_eq!(summary.identifiers, whose.identifiers);
    (summary.head, summary.identifiers, summary.references) = (None, vec![], vec![]);
    let oracle = Oracle::of(world, whose.references.iter().copied());
    assert_same(&[summary], &[oracle.subject(&question.everything())]);
}

pub(crate) fn check_events(
    world: &World,
    whose: &Whose,
    question: &Question,
    page_size: i32,
    mut show: Show,
) {
    let oracle = Oracle::of(world, whose.references.iter().copied());
    show.until = question.recorded_until();
    let expected = oracle.matching(question).into_iter();
    let expected: Vec<_> = expected
        .map(|(fact, retracted)| shown(&oracle, fact, retracted, show))
        .collect();
    let view = if show.full {
        v1::EntryView::Full
    } else {
        v1::EntryView::Basic
    };
    let mut request = v1::ListEventsRequest {
        subject: whose.subject.clone(),
        filter: Some(question.filter.clone()),
        as_of: question.as_of,
        descending: question.descending,
        with_clauses: show.with_clauses,
        view: view.into(),
        page_size,
        ..Default::default()
    };
    let entries = walk(page_size, |token| {
        request.page_token = token;
        let page = world.ask(request.clone()).unwrap();
        (page.entries, page.next_page_token)
    });
    assert_same(&entries, &expected);
}

pub(crate) fn check_recipients(world: &World, whose: &Whose, question: &Question, page_size: i32) {
    let oracle = Oracle::of(world, whose.references.iter().copied());
    let mut request = v1::ListRecipientsRequest {
        subject: whose.subject.clone(),
        filter: Some(question.filter.clone()),
        as_of: question.as_of,
        page_size,
        ..Default::default()
    };
    let rows = walk(page_size, |token| {
        request.page_token = token;
        let page = world.ask(request.clone()).unwrap();
        (page.recipients, page.next_page_token)
    });
    assert_same(&rows, &oracle.recipients(&question.ascending()));
}

pub(crate) fn check_transfers(world: &World, whose: &Whose, question: &Question, page_size: i32) {
    let oracle = Oracle::of(world, whose.references.iter().copied());
    let mut request = v1::ListTransfersRequest {
        subject: whose.subject.clone(),
        filter: Some(question.filter.clone()),
        as_of: question.as_of,
        page_size,
        ..Default::default()
    };
    let rows = walk(page_size, |token| {
        request.page_token = token;
        let page = world.ask(request.clone()).unwrap();
        (page.transfers, page.next_page_token)
    });
    assert_same(&rows, &oracle.transfers(&question.ascending()));
}
