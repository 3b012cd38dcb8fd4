//! What the command and a service say to each other when the service replays: frames on a stream, each with its length
//! before it, and never longer than a limit. The service says [`Hello`] first; then each [`HostRequest`] is answered by any
//! number of [`HostReply::RunStarted`], [`HostReply::StepStarting`] and [`HostReply::EffectStarting`], and one other [`HostReply`], in the order of the asks.

use std::io::{self, Read, Write};

use bincode::{Decode, Encode};
use zerver_trace::bounded_decode;

use crate::{Edits, Recording, ReplayError, Report};

/// What a service must say first.
pub const MAGIC: [u8; 8] = *b"zerv-ipc";
/// The first and the last version of the protocol that this build speaks. Since 2 a trace has its worker, since 3 its
/// origin.
pub const VERSIONS: (u16, u16) = (3, 3);
/// A frame may have so many bytes. A trace in a store has fewer.
pub const MAX_FRAME_BYTES: usize = 64 << 20;

/// The first frame, from the service.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// The first and the last version of the protocol that it speaks.
    pub versions: (u16, u16),
    /// Its build; see the runtime's `build_id`.
    pub build: String,
}

impl Hello {
    /// What this build says of itself.
    pub fn new(build: &str) -> Self {
        Self { magic: MAGIC, versions: VERSIONS, build: build.to_owned() }
    }

    /// Whether the two have a version in common.
    pub fn is_compatible(&self) -> bool {
        self.magic == MAGIC && self.versions.0 <= VERSIONS.1 && VERSIONS.0 <= self.versions.1
    }
}

/// What the command asks for.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum HostRequest {
    /// Run this again, so.
    Replay(Box<Recording>, Edits),
    /// Run this again as it was recorded, one of many: nothing is said of the steps before they run, and the report has
    /// no response.
    Check(Box<Recording>),
}

/// What the service says.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum HostReply {
    /// It is about to run this step.
    StepStarting(String),
    /// What came of it.
    Report(Box<Report>),
    /// Nothing: what was asked for does not fit.
    Failed(ReplayError),
    /// It is about to perform this effect for real.
    EffectStarting {
        /// What may be told of it.
        name: String,
        /// How long that may take, in nanoseconds.
        limit_ns: u64,
    },
    /// A run of the request begins; a replay has several, and each has its own time.
    RunStarted,
}

/// Sends one frame.
///
/// # Errors
/// When the stream does, or the frame is longer than [`MAX_FRAME_BYTES`].
pub fn send(stream: &mut impl Write, frame: &impl Encode) -> io::Result<()> {
    // In one piece, for one call of the system.
    let mut bytes = vec![0; 4];
    bincode::encode_into_std_write(frame, &mut bytes, bincode::config::standard())
        .map_err(|error| broken(&error))?;
    let len = u32::try_from(bytes.len() - 4).ok().filter(|len| *len as usize <= MAX_FRAME_BYTES);
    let len = len.ok_or_else(|| broken(&"a frame is longer than what may be sent"))?;
    bytes[..4].copy_from_slice(&len.to_le_bytes());
    stream.write_all(&bytes)?;
    stream.flush()
}

/// Receives one frame; none where the stream ends before it.
///
/// # Errors
/// When the stream does or ends within the frame, or the frame is none.
pub fn receive<T: Decode<()>>(stream: &mut impl Read) -> io::Result<Option<T>> {
    let mut len = [0; 4];
    let mut have = 0;
    while have < len.len() {
        match stream.read(&mut len[have..]) {
            Ok(0) if have == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(more) => have += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let len = u32::from_le_bytes(len);
    if len as usize > MAX_FRAME_BYTES {
        return Err(broken(&"a frame is longer than what may be sent"));
    }
    // What is said to come is not believed: memory is taken as it comes.
    let mut bytes = Vec::new();
    if stream.take(len.into()).read_to_end(&mut bytes)? < len as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let (frame, used) = bounded_decode::decode_prefix(&bytes).map_err(|error| broken(&error))?;
    if used == bytes.len() { Ok(Some(frame)) } else { Err(broken(&"something follows the end of a frame")) }
}

fn broken(error: &dyn std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(frame: &impl Encode) -> Vec<u8> {
        let mut bytes = Vec::new();
        send(&mut bytes, frame).unwrap();
        bytes
    }

    #[test]
    fn a_frame_comes_as_it_went() {
        let told =
            HostReply::Failed(ReplayError { message: "no slot Todos".into(), ..ReplayError::default() });
        let bytes = [sent(&Hello::new("b")), sent(&told)].concat();
        let mut stream = &bytes[..];
        assert!(receive::<Hello>(&mut stream).unwrap().unwrap().is_compatible());
        assert_eq!(receive(&mut stream).unwrap(), Some(told));
        assert_eq!(receive::<HostReply>(&mut stream).unwrap(), None);
    }

    #[test]
    fn a_frame_that_lies_is_an_error() {
        let bytes = sent(&HostReply::StepStarting("parse_id".into()));
        for end in 1..bytes.len() {
            assert!(receive::<HostReply>(&mut &bytes[..end]).is_err(), "{end}");
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] = 0xff;
            let _ = receive::<HostReply>(&mut &bytes[..]);
            let _ = receive::<Hello>(&mut &bytes[..]);
        }
        assert!(receive::<HostReply>(&mut &[0xff; 64][..]).is_err());
        let mut longer = bytes;
        longer[0] += 1;
        longer.push(0);
        assert!(receive::<HostReply>(&mut &longer[..]).is_err());
    }

    #[test]
    fn a_short_frame_asks_for_little() {
        // A refusal whose causes are said to be a million.
        let causes = [&[2, 0, 252][..], &1_000_000_u32.to_le_bytes(), &[0; 64]].concat();
        let frame = [&(causes.len() as u32).to_le_bytes()[..], &causes].concat();
        let error = receive::<HostReply>(&mut &frame[..]).unwrap_err();
        assert_eq!(error.to_string(), "LimitExceeded");
        // What is long in memory and short as bytes is still received.
        let told =
            HostReply::Failed(ReplayError { causes: vec![String::new(); 100_000], ..ReplayError::default() });
        assert_eq!(receive(&mut &sent(&told)[..]).unwrap(), Some(told));
    }

    #[test]
    fn another_program_is_not_understood() {
        let hello = |magic, versions| Hello { magic, versions, build: String::new() };
        assert!(hello(MAGIC, (0, 4)).is_compatible());
        assert!(!hello(MAGIC, (0, 2)).is_compatible() && !hello(MAGIC, (4, 4)).is_compatible());
        assert!(!hello(*b"HTTP/1.1", VERSIONS).is_compatible());
    }
}
