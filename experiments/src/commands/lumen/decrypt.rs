//! `lumen decrypt`: a single file that was encrypted.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use resonetics_lumen::archive::{decrypt_age, decrypt_lumenenc};
use resonetics_runs::Error;

use super::sealing::{Opening, secret};
use crate::out::{note, say};

#[derive(Debug, Args)]
pub struct DecryptArgs {
    /// The encrypted file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where to: a file that is not there yet
    #[arg(long, value_name = "NEW")]
    pub out: PathBuf,
    /// What it is
    #[arg(long, value_enum, default_value_t = Format::Age)]
    pub format: Format,
    #[command(flatten)]
    pub opening: Opening,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A file of age
    Age,
    /// A file of the design documents (LUMENENC), by a passphrase or a key in base64; only read
    Lumenenc,
}

pub fn run(args: &DecryptArgs) -> Result<(), Error> {
    let written = match args.format {
        Format::Age => {
            let key = args.opening.key()?.ok_or_else(|| {
                Error::Refused("nothing opens it: give --identity FILE, or --passphrase".to_owned())
            })?;
            decrypt_age(&args.file, &key, &args.out)?
        }
        Format::Lumenenc => {
            if args.opening.identity.is_some() {
                return Err(Error::Refused(
                    "--identity: a file of this format has a passphrase or a key; give --passphrase"
                        .to_owned(),
                ));
            }
            let written = decrypt_lumenenc(&args.file, &secret()?, &args.out)?;
            note(format_args!(
                "its format protects a passphrase badly: encrypt it anew (age, or `lumen freeze --to-recipient`) and choose another passphrase"
            ));
            written
        }
    };
    say(format_args!("wrote {}: {written} bytes", args.out.display()))
}
