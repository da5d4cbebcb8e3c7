//! Who is who, by the operator's word.

use custody_ledger::{HouseRecord, Kind, SubjectReference};
use tracing::info;

use super::order::check_code;
use super::{EraseError, Registrar};
use crate::state::Reference;

impl Registrar {
    /// Says that two persons are one: from now on their state, answers, proofs and
    /// erasure are one. `cause` is a code, `[a-z0-9._-]{1,64}`. `false` where they
    /// were one already.
    ///
    /// # Errors
    /// [`EraseError::NotACode`], [`EraseError::UnknownPerson`]; or the vault, the
    /// ledger or the states fail.
    pub fn join(&self, a: Reference, b: Reference, cause: &str) -> Result<bool, EraseError> {
        check_code("cause", cause)?;
        let _working = self.work()?;
        self.check_known(&[a, b])?;
        if a == b || self.desk.vault.linked(&a)?.contains(&b) {
            return Ok(false);
        }
        // Said first: what was said and not done is done on the next start, but
        // nobody could find a link in the vault that was never said.
        let record = HouseRecord::IdentityJoined {
            a: SubjectReference(a),
            b: SubjectReference(b),
            cause: cause.to_owned(),
        };
        self.say(Kind::IdentityJoined, record)?;
        self.join_in_the_vault(a, b)?;
        Ok(true)
    }

    /// Says that two persons who were linked are not one. The same events do not
    /// link them again. `false` where nothing linked them directly: they are still
    /// one where others link them.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn part(&self, a: Reference, b: Reference, cause: &str) -> Result<bool, EraseError> {
        check_code("cause", cause)?;
        let _working = self.work()?;
        self.check_known(&[a, b])?;
        if !self.desk.vault.linked(&a)?.contains(&b) {
            return Ok(false);
        }
        let record = HouseRecord::IdentityParted {
            a: SubjectReference(a),
            b: SubjectReference(b),
            cause: cause.to_owned(),
        };
        self.say(Kind::IdentityParted, record)?;
        self.part_in_the_vault(a, b)
    }

    /// An identifier is its person's no more from `from_ns` on (nanoseconds since
    /// 1970 UTC): events of before still are about them. Whose it was; `None` where
    /// it was nobody's then.
    ///
    /// # Errors
    /// As [`join`](Self::join); [`EraseError::Vault`] where the identifier is
    /// malformed or a shared one.
    pub fn release(
        &self,
        identifier: &str,
        from_ns: i64,
        cause: &str,
    ) -> Result<Option<Reference>, EraseError> {
        check_code("cause", cause)?;
        let scheme = identifier.split(':').next().unwrap_or_default().to_owned();
        let _working = self.work()?;
        // The vault first: what is said must not name the identifier, so that
        // nobody could do it again from what was said.
        let Some(subject) = self.desk.vault.release(identifier, from_ns)? else {
            return Ok(None);
        };
        self.desk.vault.flush().map_err(EraseError::Flush)?;
        let record = HouseRecord::IdentifierReleased {
            subject: SubjectReference(subject),
            scheme,
            from_ns,
            cause: cause.to_owned(),
        };
        self.say_of(Kind::IdentifierReleased, record, Some(subject))?;
        Ok(Some(subject))
    }

    /// Says that shares of the root key of this generation were handed out.
    ///
    /// # Errors
    /// Where the ledger fails.
    pub fn escrowed(&self, generation: u64, threshold: u8, shares: u8) -> Result<(), EraseError> {
        let _working = self.work()?;
        let record = HouseRecord::RootEscrowed {
            generation,
            threshold,
            shares,
        };
        self.say(Kind::RootEscrowed, record)
    }

    /// Does what was said last, where the process ended before the vault had it.
    /// What was said before that, the vault had: one thing is done after the other.
    pub(super) fn finish_identity(&self) -> Result<(), EraseError> {
        let last = self.records.lock().last_identity().cloned();
        let (a, b, is_join) = match &last {
            Some(HouseRecord::IdentityJoined { a, b, .. }) => (a.0, b.0, true),
            Some(HouseRecord::IdentityParted { a, b, .. }) => (a.0, b.0, false),
            _ => return Ok(()),
        };
        if self.check_known(&[a, b]).is_err() {
            // Erased since.
            return Ok(());
        }
        let are_one = self.desk.vault.linked(&a)?.contains(&b);
        if is_join && !are_one {
            self.join_in_the_vault(a, b)?;
            info!("two persons are one, as was said before the last end");
        }
        if !is_join && are_one && self.part_in_the_vault(a, b)? {
            info!("two persons are no longer one, as was said before the last end");
        }
        Ok(())
    }

    fn join_in_the_vault(&self, a: Reference, b: Reference) -> Result<(), EraseError> {
        self.desk.vault.link(&a, &b)?;
        self.desk.vault.flush().map_err(EraseError::Flush)?;
        let states = &self.desk.states;
        // Before anybody finds the link and misses its entry.
        let mut batch = states.store().batch();
        batch.link(&a, &b);
        batch.commit()?;
        Ok(states.relink(&a)?)
    }

    fn part_in_the_vault(&self, a: Reference, b: Reference) -> Result<bool, EraseError> {
        let parted = self.desk.vault.unlink(&a, &b)?;
        self.desk.vault.flush().map_err(EraseError::Flush)?;
        let states = &self.desk.states;
        let mut batch = states.store().batch();
        batch.unlink(&a, &b);
        batch.commit()?;
        states.relink(&a)?;
        states.relink(&b)?;
        Ok(parted)
    }
}
