//! What somebody reads who has the files and not the root key.

use std::path::Path;

use super::Home;

fn all_bytes(dir: &Path, out: &mut Vec<u8>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_bytes(&path, out);
        } else {
            out.extend_from_slice(path.file_name().unwrap().as_encoded_bytes());
            // Journals are laid out in advance: most blocks are still zeros.
            let bytes = std::fs::read(&path).unwrap();
            for block in bytes
                .chunks(4096)
                .filter(|block| block.iter().any(|&byte| byte != 0))
            {
                out.extend_from_slice(block);
            }
        }
    }
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn no_identifier_no_reference_and_no_key_is_in_the_files() {
    let home = Home::new();
    let vault = home.open();
    let mut references = Vec::new();
    for n in 0..50 {
        let account = format!("account:QQxyzzy{n}");
        let email = format!("email:plugh{n}@example.com");
        references.push(vault.admit(&[&account, &email]).unwrap().person.reference());
    }
    vault
        .admit(&["account:QQxyzzy1", "account:QQxyzzy2"])
        .unwrap();
    let window = *vault.window_key(20_000).unwrap();
    vault.flush().unwrap();
    let scan = |when: &str| {
        let mut bytes = Vec::new();
        all_bytes(&home.vault(), &mut bytes);
        // The scan sees what is there.
        assert!(contains(&bytes, b"CUSTVALT"), "{when}");
        for needle in [
            b"xyzzy".as_slice(),
            b"plugh",
            b"account:",
            b"email:",
            b"example.com",
        ] {
            assert!(
                !contains(&bytes, needle),
                "{when}: {}",
                String::from_utf8_lossy(needle)
            );
        }
        for reference in &references {
            assert!(!contains(&bytes, reference), "{when}: a reference");
        }
        assert!(!contains(&bytes, &window), "{when}: a window key");
        let root = std::fs::read(home.root()).unwrap();
        assert!(!contains(&bytes, &root[24..56]), "{when}: the root key");
    };
    scan("open");
    drop(vault);
    scan("closed");
    drop(home.open());
    scan("reopened");
}
