//! Opens the recorder that the environment asks for.

use std::hash::{DefaultHasher, Hasher};
use std::io::BufReader;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::{fs, io};

use zerver_recorder::{Options, Policy, Recorder, Tail};

use crate::environment::{Environment, Record};
use crate::{StartError, notice};

/// Opens the store, if anything is to be recorded.
///
/// # Errors
/// When the store cannot be opened and somebody has asked for it. If nobody has, the service is more important.
pub(crate) fn open(environment: &Environment) -> Result<Option<Recorder>, StartError> {
    let policy = match environment.record {
        Some(Record::Off) => return Ok(None),
        Some(Record::All) => Policy::All,
        Some(Record::Tail) | None => Policy::Tail(Tail::default()),
    };
    let dir = environment.store.clone().unwrap_or_else(|| PathBuf::from(".zerver"));
    let options = Options { policy, build: build_id().to_owned(), ..Options::new(&dir) };
    let asked_for = environment.dev || environment.store.is_some() || environment.record.is_some();
    match Recorder::open(options) {
        Ok(recorder) => Ok(Some(recorder)),
        Err(error) if asked_for => Err(StartError::Store { dir, error }),
        Err(error) => {
            notice::warn(&format!("records nothing: {error}"));
            Ok(None)
        }
    }
}

/// What tells this build of the program from others: a hash of its file, in hexadecimal; empty where the file cannot be
/// read.
pub fn build_id() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        let mut hash = Hash(DefaultHasher::new());
        let hashed = std::env::current_exe()
            .and_then(fs::File::open)
            .and_then(|file| io::copy(&mut BufReader::with_capacity(256 << 10, file), &mut hash));
        hashed.map(|_| format!("{:016x}", hash.0.finish())).unwrap_or_default()
    })
}

/// The hash of the standard library: that is optimised even where the program is not, and this takes the time of a
/// start.
struct Hash(DefaultHasher);

impl io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
