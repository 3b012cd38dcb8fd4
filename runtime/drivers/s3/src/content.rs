//! Content of objects, and its recorded form.

use std::fmt;

use bytes::Bytes;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zerver::prelude::*;

/// Size up to which content is recorded. Of larger content, the recording has size and hash.
pub const RECORDED_BYTES: usize = 64 * 1024;

/// Content of an object.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// The bytes.
    Bytes(Bytes),
    /// Size and hash (BLAKE3, as hexadecimal digits) of content that was too large to be recorded.
    Omitted {
        /// Size in bytes.
        size: u64,
        /// Hash.
        hash: String,
    },
}

impl Content {
    /// Returns the bytes.
    ///
    /// # Errors
    /// `internal` if they were not recorded.
    pub fn bytes(&self) -> Result<&Bytes, Failure> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Omitted { size, .. } => Err(Failure::internal("s3")
                .message(format_args!("the content of {size} bytes was too large to be recorded"))),
        }
    }

    /// Returns the size.
    pub const fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Omitted { size, .. } => *size,
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.size())
    }
}

#[derive(Serialize)]
struct Omitted<'h> {
    size: u64,
    hash: &'h str,
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bytes(bytes) if bytes.len() <= RECORDED_BYTES => match str::from_utf8(bytes) {
                Ok(text) => serializer.serialize_str(text),
                Err(_) => serializer.serialize_bytes(bytes),
            },
            Self::Bytes(bytes) => {
                let hash = blake3::hash(bytes).to_hex();
                Omitted { size: bytes.len() as u64, hash: &hash }.serialize(serializer)
            }
            Self::Omitted { size, hash } => Omitted { size: *size, hash }.serialize(serializer),
        }
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, bytes, or size and hash")
    }

    fn visit_str<E>(self, text: &str) -> Result<Content, E> {
        Ok(Content::Bytes(Bytes::copy_from_slice(text.as_bytes())))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Content, E> {
        Ok(Content::Bytes(Bytes::copy_from_slice(bytes)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Content, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = items.next_element::<u8>()? {
            bytes.push(byte);
        }
        Ok(Content::Bytes(bytes.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        let (mut size, mut hash) = (None, None);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "size" => size = Some(map.next_value()?),
                "hash" => hash = Some(map.next_value()?),
                other => return Err(A::Error::unknown_field(other, &["size", "hash"])),
            }
        }
        match (size, hash) {
            (Some(size), Some(hash)) => Ok(Content::Omitted { size, hash }),
            _ => Err(A::Error::custom("content has size and hash")),
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

impl<T: Into<Bytes>> From<T> for Content {
    fn from(bytes: T) -> Self {
        Self::Bytes(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use zerver::effects::Value;

    use super::*;

    #[test]
    fn content_is_recorded_up_to_a_limit() {
        for content in [Content::from("text"), Content::from(vec![0, 255])] {
            let recorded = Value::from_serialize(&content).unwrap();
            assert_eq!(recorded.to_typed::<Content>().as_ref(), Ok(&content));
        }
        let large = Content::from(vec![7; RECORDED_BYTES + 1]);
        let recorded = Value::from_serialize(&large).unwrap();
        assert!(recorded.tokens().len() < 200);
        let read: Content = recorded.to_typed().unwrap();
        assert_eq!(read.size(), large.size());
        assert_eq!(Value::from_serialize(&read).unwrap(), recorded, "it is recognized");
        assert!(large.bytes().is_ok() && read.bytes().is_err());
    }
}
