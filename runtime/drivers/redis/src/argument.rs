//! Arguments of commands, and their recorded form.

use std::fmt;

use bytes::Bytes;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zerver::prelude::*;

/// Argument of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arg {
    /// Bytes. They are recorded as text if they are UTF-8.
    Bytes(Bytes),
    /// An integer.
    Int(i64),
    /// Bytes that recordings seal. Their recorded form has the name `secret`, which the rule for secrets recognizes.
    Secret(Bytes),
}

impl Arg {
    /// Returns the bytes that the server receives.
    pub(crate) fn to_bytes(&self) -> Bytes {
        match self {
            Self::Bytes(bytes) | Self::Secret(bytes) => bytes.clone(),
            Self::Int(number) => Bytes::from(number.to_string()),
        }
    }

    /// Returns true if the argument is this word, in upper or lower case.
    pub(crate) fn is_word(&self, word: &str) -> bool {
        matches!(self, Self::Bytes(bytes) if bytes.eq_ignore_ascii_case(word.as_bytes()))
    }
}

/// Writes the argument as text, shortened to a few words.
impl fmt::Display for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 60;
        match self {
            Self::Int(number) => number.fmt(f),
            Self::Secret(_) => f.write_str("<secret>"),
            Self::Bytes(bytes) => match str::from_utf8(bytes) {
                Ok(text) if text.chars().count() <= SHOWN => f.write_str(text),
                Ok(text) => write!(f, "{}..", text.chars().take(SHOWN).collect::<String>()),
                Err(_) => write!(f, "<{} bytes>", bytes.len()),
            },
        }
    }
}

/// Types that can be an argument of a command.
pub trait ToArg {
    /// Converts the value.
    ///
    /// # Errors
    /// `invalid` if it has no form that can be sent.
    fn to_arg(&self) -> Result<Arg, Failure>;
}

impl<T: ToArg + ?Sized> ToArg for &T {
    fn to_arg(&self) -> Result<Arg, Failure> {
        (**self).to_arg()
    }
}

impl ToArg for Arg {
    fn to_arg(&self) -> Result<Arg, Failure> {
        Ok(self.clone())
    }
}

impl ToArg for str {
    fn to_arg(&self) -> Result<Arg, Failure> {
        Ok(Arg::Bytes(Bytes::copy_from_slice(self.as_bytes())))
    }
}

impl ToArg for String {
    fn to_arg(&self) -> Result<Arg, Failure> {
        self.as_str().to_arg()
    }
}

impl ToArg for [u8] {
    fn to_arg(&self) -> Result<Arg, Failure> {
        Ok(Arg::Bytes(Bytes::copy_from_slice(self)))
    }
}

impl<const N: usize> ToArg for [u8; N] {
    fn to_arg(&self) -> Result<Arg, Failure> {
        self.as_slice().to_arg()
    }
}

impl ToArg for Vec<u8> {
    fn to_arg(&self) -> Result<Arg, Failure> {
        self.as_slice().to_arg()
    }
}

impl ToArg for Bytes {
    fn to_arg(&self) -> Result<Arg, Failure> {
        Ok(Arg::Bytes(self.clone()))
    }
}

impl ToArg for f64 {
    fn to_arg(&self) -> Result<Arg, Failure> {
        self.to_string().to_arg()
    }
}

macro_rules! integers {
    ($($integer:ty)+) => {$(
        impl ToArg for $integer {
            fn to_arg(&self) -> Result<Arg, Failure> {
                // What does not fit is sent as text, which the server treats in the same way.
                i64::try_from(*self).map_or_else(|_| self.to_string().to_arg(), |number| Ok(Arg::Int(number)))
            }
        }
    )+};
}

integers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

/// A value that is stored as JSON: `redis::set("user:7", Json(&user))`, `redis::get::<Json<User>>("user:7")`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize> ToArg for Json<T> {
    fn to_arg(&self) -> Result<Arg, Failure> {
        let json = serde_json::to_vec(&self.0);
        json.map(|json| Arg::Bytes(json.into())).map_err(|error| Failure::internal("redis").because(&error))
    }
}

/// A value that recordings seal and all output masks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret<T>(pub T);

impl<T: ToArg> ToArg for Secret<T> {
    fn to_arg(&self) -> Result<Arg, Failure> {
        self.0.to_arg().map(|arg| Arg::Secret(arg.to_bytes()))
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Bytes that are recorded as text if they are UTF-8.
pub(crate) struct Recorded<'b>(pub(crate) &'b [u8]);

impl Serialize for Recorded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.serialize_bytes(self.0),
        }
    }
}

impl Serialize for Arg {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bytes(bytes) => Recorded(bytes).serialize(serializer),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Secret(bytes) => serializer.serialize_newtype_variant("Arg", 0, "secret", &Recorded(bytes)),
        }
    }
}

struct ArgVisitor;

impl<'de> Visitor<'de> for ArgVisitor {
    type Value = Arg;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, bytes, an integer or a secret")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Arg, E> {
        self.visit_bytes(text.as_bytes())
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Arg, E> {
        Ok(Arg::Bytes(Bytes::copy_from_slice(bytes)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Arg, E> {
        Ok(Arg::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Arg, E> {
        i64::try_from(number).map(Arg::Int).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Arg, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = items.next_element::<u8>()? {
            bytes.push(byte);
        }
        Ok(Arg::Bytes(bytes.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Arg, A::Error> {
        match map.next_key::<String>()?.as_deref() {
            Some("secret") => map.next_value::<Arg>().map(|arg| Arg::Secret(arg.to_bytes())),
            other => Err(A::Error::custom(format_args!("unknown form {other:?} of an argument"))),
        }
    }
}

impl<'de> Deserialize<'de> for Arg {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ArgVisitor)
    }
}

#[cfg(test)]
mod tests {
    use zerver::effects::Value;

    use super::*;

    #[test]
    fn arguments_are_recorded_without_loss() {
        let args =
            ["text".to_arg(), [0, 255].to_arg(), (-7).to_arg(), u64::MAX.to_arg(), Secret("s").to_arg()];
        let args: Vec<_> = args.into_iter().map(Result::unwrap).collect();
        let recorded = Value::from_serialize(&args).unwrap();
        assert_eq!(recorded.to_typed::<Vec<Arg>>().unwrap(), args);
        let json = serde_json::to_string(&args).unwrap();
        assert_eq!(json, r#"["text",[0,255],-7,"18446744073709551615",{"secret":"s"}]"#);
        assert_eq!(serde_json::from_str::<Vec<Arg>>(&json).unwrap(), args);
        assert_eq!(args[4].to_string(), "<secret>");
    }
}
