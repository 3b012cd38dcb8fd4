//! Dates, times and UUIDs in slots: as text, as they are shown.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Date, Time, Timestamp, Uuid};

struct TextVisitor<T>(PhantomData<T>);

impl<T: FromStr<Err = super::ParseValueError>> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

macro_rules! as_text {
    ($($type:ty)+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(TextVisitor(PhantomData))
            }
        }
    )+};
}

as_text!(Timestamp Date Time Uuid);

#[cfg(test)]
mod tests {
    use zerver_trace::Value;

    use super::*;

    #[test]
    fn they_can_be_parts_of_slots() {
        let values = (Timestamp(-1), Date(20_000), Time(1), Uuid([7; 16]));
        let recorded = Value::from_serialize(&values).unwrap();
        assert_eq!(recorded.to_typed::<(Timestamp, Date, Time, Uuid)>().unwrap(), values);
        let json = serde_json::to_string(&Timestamp(1_795_957_200_500_000)).unwrap();
        assert_eq!(json, r#""2026-11-29T13:00:00.5Z""#);
        assert!(serde_json::from_str::<Date>("\"x\"").is_err());
    }
}
