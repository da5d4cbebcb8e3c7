use custody_proof::note::sign;

use super::*;

#[test]
fn a_key_that_has_signed_nothing_yet_cannot_take_over() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        data_dir: dir.path().to_owned(),
        ..Config::default()
    };
    let path = config.signing_key_path();
    let old = KeyFile::create(&path, "custody/x").unwrap();
    let old = old.signers("custody/x").unwrap();
    let both = KeyFile::read(&path).unwrap().rotate("custody/x").unwrap();
    let both = both.signers("custody/x").unwrap();
    let current = both[0].verifying_key();
    assert!(has_signed(&config, current), "nothing is published");

    let public = ledger_dir(dir.path()).join("public");
    std::fs::create_dir_all(&public).unwrap();
    let publish = |keys: &[&custody_proof::note::SigningKey]| {
        let note = sign("custody/x\n1\n\n", keys).unwrap();
        std::fs::write(public.join("checkpoint"), note).unwrap();
    };
    publish(&[&old[0]]);
    assert!(!has_signed(&config, current));
    publish(&[&both[0], &both[1]]);
    assert!(has_signed(&config, current));
}
