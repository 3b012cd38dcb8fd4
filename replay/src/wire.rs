//! Protocol between the command line and a service that hosts replays.
//!
//! Messages are frames on a stream, each with its length in front and a limit on that length. The service first sends
//! [`Hello`]. It then answers each [`HostRequest`] in order: any number of [`HostReply::RunStarted`],
//! [`HostReply::StepStarting`], [`HostReply::EffectStarting`] and [`HostReply::TrialStarting`], followed by one
//! [`HostReply::Report`], [`HostReply::Explained`], [`HostReply::Sliced`] or [`HostReply::Failed`].

use std::io::{self, Read, Write};

use bincode::{Decode, Encode};
use zerver_trace::bounded_decode;

use crate::{CallExplanation, Edits, Recording, ReplayError, Report, SliceRequest, ValueSlice};

/// First bytes that a service sends.
pub const MAGIC: [u8; 8] = *b"zerv-ipc";
/// First and last protocol version that this build supports. Version 2 added the worker to a trace, version 3 its
/// origin, version 4 the kinds of missing inputs, version 5 explanations, and version 6 slices.
pub const VERSIONS: (u16, u16) = (7, 7);
/// Maximum length of a frame, in bytes. A trace in a store is shorter.
pub const MAX_FRAME_BYTES: usize = 64 << 20;

/// First frame, sent by the service.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// Always [`MAGIC`].
    pub magic: [u8; 8],
    /// First and last protocol version that the service supports.
    pub versions: (u16, u16),
    /// Build of the service; see the runtime's `build_id`.
    pub build: String,
}

impl Hello {
    /// Creates the frame that this build sends.
    pub fn new(build: &str) -> Self {
        Self { magic: MAGIC, versions: VERSIONS, build: build.to_owned() }
    }

    /// Returns true if both sides support a common version.
    pub fn is_compatible(&self) -> bool {
        self.magic == MAGIC && self.versions.0 <= VERSIONS.1 && VERSIONS.0 <= self.versions.1
    }
}

/// A request from the command line.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum HostRequest {
    /// Replays a recording with these edits.
    Replay(Box<Recording>, Edits),
    /// Replays one of many recordings as it was recorded. The service does not announce steps before they run, and the
    /// report has no response.
    Check(Box<Recording>),
    /// Explains a recorded call.
    Explain {
        /// The request.
        recording: Box<Recording>,
        /// Number of the call.
        call: u32,
        /// True if the call may be performed to measure it.
        analyze: bool,
    },
    /// Finds the sources of a value.
    Slice(Box<Recording>, SliceRequest),
}

/// A message from the service.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum HostReply {
    /// This step is about to run.
    StepStarting(String),
    /// The replay is done.
    Report(Box<Report>),
    /// The replay did not run because the request was invalid.
    Failed(ReplayError),
    /// This effect is about to be performed for real.
    EffectStarting {
        /// Name of the effect, with secrets masked.
        name: String,
        /// Longest time the effect may take, in nanoseconds.
        limit_ns: u64,
    },
    /// A run of the recorded request starts. A replay has several, and each has its own time limit.
    RunStarted,
    /// The call is explained: one explanation for each part of it.
    Explained(Vec<CallExplanation>),
    /// A trial of a slice starts. Each trial has its own time limit, and a number.
    TrialStarting(u32),
    /// The sources of a value are found.
    Sliced(Box<ValueSlice>),
}

/// Sends one frame.
///
/// # Errors
/// Fails if the stream fails, or if the frame is longer than [`MAX_FRAME_BYTES`].
pub fn send(stream: &mut impl Write, frame: &impl Encode) -> io::Result<()> {
    // One buffer, so that one system call sends it.
    let mut bytes = vec![0; 4];
    bincode::encode_into_std_write(frame, &mut bytes, bincode::config::standard()).map_err(broken)?;
    let len = u32::try_from(bytes.len() - 4).ok().filter(|len| *len as usize <= MAX_FRAME_BYTES);
    let len = len.ok_or_else(|| broken("frame exceeds the maximum length"))?;
    bytes[..4].copy_from_slice(&len.to_le_bytes());
    stream.write_all(&bytes)?;
    stream.flush()
}

/// Receives one frame. Returns `None` if the stream ends before the frame begins.
///
/// # Errors
/// Fails if the stream fails or ends within the frame, or if the frame is malformed.
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
        return Err(broken("frame exceeds the maximum length"));
    }
    // The length is not trusted: memory is allocated as bytes arrive.
    let mut bytes = Vec::new();
    if stream.take(len.into()).read_to_end(&mut bytes)? < len as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let (frame, used) = bounded_decode::decode_prefix(&bytes).map_err(broken)?;
    if used == bytes.len() { Ok(Some(frame)) } else { Err(broken("trailing bytes in a frame")) }
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
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
    fn a_frame_is_received_as_it_was_sent() {
        let reply =
            HostReply::Failed(ReplayError { message: "no slot Todos".into(), ..ReplayError::default() });
        let bytes = [sent(&Hello::new("b")), sent(&reply)].concat();
        let mut stream = &bytes[..];
        assert!(receive::<Hello>(&mut stream).unwrap().unwrap().is_compatible());
        assert_eq!(receive(&mut stream).unwrap(), Some(reply));
        assert_eq!(receive::<HostReply>(&mut stream).unwrap(), None);
    }

    #[test]
    fn a_malformed_frame_is_an_error() {
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
    fn a_short_frame_allocates_little() {
        // An error that claims to have a million causes.
        let causes = [&[2, 0, 252][..], &1_000_000_u32.to_le_bytes(), &[0; 64]].concat();
        let frame = [&(causes.len() as u32).to_le_bytes()[..], &causes].concat();
        let error = receive::<HostReply>(&mut &frame[..]).unwrap_err();
        assert_eq!(error.to_string(), "LimitExceeded");
        // A frame that is large in memory but short on the wire is accepted.
        let reply =
            HostReply::Failed(ReplayError { causes: vec![String::new(); 100_000], ..ReplayError::default() });
        assert_eq!(receive(&mut &sent(&reply)[..]).unwrap(), Some(reply));
    }

    #[test]
    fn another_program_is_incompatible() {
        let hello = |magic, versions| Hello { magic, versions, build: String::new() };
        assert!(hello(MAGIC, (0, 8)).is_compatible());
        assert!(!hello(MAGIC, (0, 6)).is_compatible() && !hello(MAGIC, (8, 8)).is_compatible());
        assert!(!hello(*b"HTTP/1.1", VERSIONS).is_compatible());
    }
}
