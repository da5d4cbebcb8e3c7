//! `custody export evidence`: everything that a third party needs to check an
//! answer about a person.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::args::Global;
use crate::client;
use crate::command::asking::Source;
use crate::command::subject::read_id;
use crate::error::{CommandError, Exit};
use crate::evidence;
use crate::output::{bytes, sized};

/// Exports what the ledger holds of a person, with the proofs
///
/// One JSON document, `custody.evidence/v1`: the signed checkpoint, every
/// entry as it is stored, and for every shard the proof that it is all that
/// the shard has of this person, or that it has nothing.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  custody export evidence account:1001 --out evidence.json
  custody export evidence @id.txt --data /var/lib/custody > evidence.json
  custody check evidence.json --key-file custody.vkey

What was said of the person is in it as it was sealed: whoever gets it reads
who got what kind of data when and why, and neither name nor address.")]
pub(super) struct Args {
    /// The person: `scheme:value`, `-` to read that from standard input, or
    /// `@FILE` to read it from a file
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    source: Source,
    /// The file to write; without it, standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(self, global: &Global) -> Result<Exit, CommandError> {
        let id = read_id(&self.id)?;
        let config = self.source.files(global)?;
        let place = client::Place::of(config.as_ref(), &self.source.server);
        let written = match &self.out {
            Some(path) => to_file(place, id, path)?,
            None => fetch(place, id, &mut io::stdout().lock())?,
        };
        if let Some(path) = &self.out {
            let path = path.display();
            writeln!(
                io::stderr(),
                "{} in {path}; `custody check {path} --key VKEY` says what it proves",
                bytes(written)
            )?;
        }
        Ok(Exit::Done)
    }
}

/// Writes aside first: a document that is there is whole.
fn to_file(place: client::Place<'_>, id: String, path: &Path) -> Result<u64, CommandError> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".partial");
    let aside = PathBuf::from(aside);
    let writing = |source| CommandError::Write {
        path: path.to_owned(),
        source,
    };
    let mut file = BufWriter::new(File::create(&aside).map_err(writing)?);
    let fetched = fetch(place, id, &mut file).and_then(|written| {
        file.flush()
            .and_then(|()| file.get_ref().sync_all())
            .and_then(|()| fs::rename(&aside, path))
            .map_err(writing)?;
        Ok(written)
    });
    if fetched.is_err() {
        // It may not be there any more.
        let _ = fs::remove_file(&aside);
    }
    fetched
}

fn fetch(place: client::Place<'_>, id: String, out: &mut dyn Write) -> Result<u64, CommandError> {
    let bar = sized(0, "evidence");
    let mut written = 0;
    evidence::export(place, id, &mut |part| {
        out.write_all(part)?;
        written += part.len() as u64;
        bar.set_length(written);
        bar.set_position(written);
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok(written)
}
