//! Terms asked for, and the narrower ones that match too.

use std::collections::HashMap;

use custody_policy::{Field, Vocabulary};

/// Which stored terms are asked for: those named and narrower ones.
pub(crate) struct Covered {
    field: Field,
    wanted: Vec<String>,
    known: HashMap<String, bool>,
}

impl Covered {
    pub(crate) fn of(field: Field, wanted: &[String]) -> Self {
        Self {
            field,
            wanted: wanted.to_vec(),
            known: HashMap::new(),
        }
    }

    pub(crate) fn any(&mut self, said: &[String]) -> bool {
        self.wanted.is_empty() || said.iter().any(|said| self.takes(said))
    }

    pub(crate) fn takes(&mut self, said: &str) -> bool {
        if self.wanted.is_empty() {
            return true;
        }
        if let Some(known) = self.known.get(said) {
            return *known;
        }
        let vocabulary = Vocabulary::builtin();
        let takes = vocabulary.resolve(self.field, said).is_ok_and(|said| {
            self.wanted.iter().any(|wanted| {
                let wanted = vocabulary.resolve(self.field, wanted);
                wanted.is_ok_and(|wanted| vocabulary.covers(wanted, said))
            })
        });
        self.known.insert(said.to_owned(), takes);
        takes
    }
}
