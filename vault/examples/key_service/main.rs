//! A key service that is a command, as `docs/root-key.md` describes it. It
//! keeps keys in a file and is made to be read and tried, not to be used: what
//! it overwrites may stay on the disk.
//!
//! `echo '{"version":1,"operation":"get"}' | key_service /tmp/keys.json`

use std::io::{Read, Write};
use std::path::Path;

mod keys;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("usage: key_service FILE")?;
    let mut request = String::new();
    std::io::stdin().read_to_string(&mut request)?;
    let answer = keys::answer(Path::new(&file), &request)?;
    std::io::stdout().write_all(answer.as_bytes())?;
    Ok(())
}
