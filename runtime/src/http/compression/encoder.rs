//! The codings, and the encoder of a stream.

use std::io::{self, Write as _};

use brotli::CompressorWriter;
use bytes::Bytes;
use flate2::write::GzEncoder;
use zstd::stream::write::Encoder as ZstdEncoder;

/// A coding of content (RFC 9110, section 8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Zstd,
    Brotli,
    Gzip,
}

/// Levels at which compression keeps up with a network. Higher ones take a multiple of the time for a few percent.
const ZSTD_LEVEL: i32 = 3;
const BROTLI_LEVEL: u32 = 4;
const GZIP_LEVEL: u32 = 4;

/// Sizes of the windows of streams, as powers of two, which bound the memory of each: some hundred KiB.
const ZSTD_WINDOW: u32 = 17;
const BROTLI_WINDOW: u32 = 17;

impl Coding {
    /// Returns the name, as in `Content-Encoding`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// Returns true if a header names this coding so.
    pub(super) fn is_named(self, name: &str) -> bool {
        // Section 8.4.1.3: the other name is the same.
        name.eq_ignore_ascii_case(self.name()) || self == Self::Gzip && name.eq_ignore_ascii_case("x-gzip")
    }

    /// Returns the coding of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Zstd, Self::Brotli, Self::Gzip].into_iter().find(|coding| coding.is_named(name))
    }

    /// Compresses a whole body.
    pub(super) fn compress(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Zstd => zstd::bulk::compress(bytes, ZSTD_LEVEL),
            Self::Brotli | Self::Gzip => {
                let mut encoder = Encoder::new(self)?;
                encoder.write(bytes)?;
                encoder.end()
            }
        }
    }
}

/// Compresses a stream item by item, so that the client can read each item at once.
pub(crate) enum Encoder {
    Zstd(Box<ZstdEncoder<'static, Vec<u8>>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Gzip(Box<GzEncoder<Vec<u8>>>),
}

impl Encoder {
    pub(super) fn new(coding: Coding) -> io::Result<Self> {
        Ok(match coding {
            Coding::Zstd => {
                let mut encoder = ZstdEncoder::new(Vec::new(), ZSTD_LEVEL)?;
                encoder.window_log(ZSTD_WINDOW)?;
                Self::Zstd(Box::new(encoder))
            }
            Coding::Brotli => {
                let encoder = CompressorWriter::new(Vec::new(), 4096, BROTLI_LEVEL, BROTLI_WINDOW);
                Self::Brotli(Box::new(encoder))
            }
            Coding::Gzip => {
                Self::Gzip(Box::new(GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP_LEVEL))))
            }
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Zstd(encoder) => encoder.write_all(bytes),
            Self::Brotli(encoder) => encoder.write_all(bytes),
            Self::Gzip(encoder) => encoder.write_all(bytes),
        }
    }

    /// Returns everything that the client needs to read these bytes.
    pub(crate) fn encode(&mut self, bytes: &[u8]) -> io::Result<Bytes> {
        self.write(bytes)?;
        let encoded = match self {
            Self::Zstd(encoder) => {
                encoder.flush()?;
                encoder.get_mut()
            }
            Self::Brotli(encoder) => {
                encoder.flush()?;
                encoder.get_mut()
            }
            Self::Gzip(encoder) => {
                encoder.flush()?;
                encoder.get_mut()
            }
        };
        Ok(std::mem::take(encoded).into())
    }

    /// Returns the end of the stream.
    pub(crate) fn finish(self) -> io::Result<Bytes> {
        self.end().map(Bytes::from)
    }

    fn end(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Zstd(encoder) => encoder.finish(),
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
            Self::Gzip(encoder) => encoder.finish(),
        }
    }
}
