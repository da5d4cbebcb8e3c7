//! What opening finds left over, and what becomes of it.

use super::engine::Area;
use super::pending::Pending;
use super::tree::{ROOT_ROW, Store, root_row};
use crate::error::VaultError;
use crate::root::{RootKey, RootStore};

impl Store {
    /// Finishes or undoes a change of root keys that was cut off. `kept` are
    /// the keys that are kept, the newest first: that of this tree.
    pub(crate) fn recover(
        &self,
        roots: &dyn RootStore,
        kept: &[RootKey],
    ) -> Result<(), VaultError> {
        let root = self.root_key();
        // Before anything that they opened is deleted.
        for older in kept
            .iter()
            .filter(|kept| kept.generation() < root.generation())
        {
            roots.destroy(older.generation())?;
        }
        if let Some((pending, left)) = Pending::read(&self.engine, &root)? {
            if root.generation() == pending.from {
                tracing::warn!("an erasure was cut off before it counted: nothing was erased");
                pending.undo(self, &left)?;
            } else {
                tracing::warn!("an erasure was cut off after it counted: it is finished now");
                pending.clean(self, pending.from, None, &left)?;
            }
        }
        let row = root_row(root.generation());
        self.engine
            .delete_where(Area::Meta, ROOT_ROW, |name| name != row)?;
        self.drop_old_format()?;
        Ok(())
    }
}
