//! What is true of the ledger that the frozen documents are about. Its key is
//! known to nobody who makes up bytes, so nothing else can verify.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::cosignature::{Cosigned, CosignerKey, cosigned};
use crate::evidence::{
    CertifiedErasure, ConsistencyProof, ErasureCertificate, Evidence, Grown, Included,
    InclusionProof, Verified, verify,
};
use crate::note::{Note, VerifyingKey};

/// The content of a frozen document.
macro_rules! frozen {
    ($name:literal) => {
        include_str!(concat!("../../tests/golden/", $name))
    };
}

pub(super) struct Known {
    pub(super) keys: Vec<VerifyingKey>,
    pub(super) witness: CosignerKey,
    /// The texts that the ledger's key has signed.
    pub(super) signed: BTreeSet<String>,
    /// The one that the witness has signed.
    pub(super) cosigned_text: String,
    pub(super) cosigned: Vec<Cosigned>,
    pub(super) document: Evidence,
    pub(super) evidence: Verified,
    pub(super) included: Included,
    /// The checkpoint that was kept.
    pub(super) earlier: &'static str,
    pub(super) grown: Grown,
    /// The keys of the ledger whose certificate is known. It is another one.
    pub(super) erased_keys: Vec<VerifyingKey>,
    pub(super) erased: CertifiedErasure,
}

pub(super) static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let keys: Vec<VerifyingKey> = vec![frozen!("ledger.key").trim_end().parse().unwrap()];
    let witness: CosignerKey = frozen!("witness.key").trim_end().parse().unwrap();
    let notes = [
        frozen!("ledger.checkpoint"),
        frozen!("ledger.former.checkpoint"),
        frozen!("house.checkpoint"),
        frozen!("shard.checkpoint"),
        frozen!("resumed.checkpoint"),
    ]
    .map(|note| Note::parse(note).unwrap());
    let document = Evidence::from_json(frozen!("evidence.json").as_bytes()).unwrap();
    let inclusion = InclusionProof::from_json(frozen!("inclusion.json").as_bytes()).unwrap();
    let consistency = ConsistencyProof::from_json(frozen!("consistency.json").as_bytes()).unwrap();
    let earlier = frozen!("ledger.former.checkpoint");
    let erased_keys: Vec<VerifyingKey> = vec![frozen!("erased.key").trim_end().parse().unwrap()];
    let certificate = frozen!("erasure-certificate.json").as_bytes();
    let certificate = ErasureCertificate::from_json(certificate).unwrap();
    Known {
        cosigned: cosigned(&notes[0], std::slice::from_ref(&witness)).unwrap(),
        cosigned_text: notes[0].text().to_owned(),
        signed: notes.iter().map(|note| note.text().to_owned()).collect(),
        evidence: verify(&document, &keys).unwrap(),
        included: inclusion.verify(&keys).unwrap(),
        grown: consistency.verify(earlier, None, &keys).unwrap(),
        erased: certificate.verify(&erased_keys).unwrap(),
        erased_keys,
        earlier,
        document,
        witness,
        keys,
    }
});
