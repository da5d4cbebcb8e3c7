//! Files of a signed ledger put back, cut and changed from outside.
