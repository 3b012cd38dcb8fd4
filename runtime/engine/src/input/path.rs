//! Path parameters as a parameter of a step.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;

use super::field_path::deserialize;
use super::from_request::{FromRequest, InputDesc, InputPart};
use super::text_value::{TextError, TextValue};
use crate::failure::Failure;
use crate::message::{Params, Request};
use crate::shape::Shape;

/// The path parameters of the route, decoded: one value, a tuple in the order of the route, or a struct with their names.
///
/// A request whose parameters do not parse fails with 404, since no resource has such a path.
///
/// ```
/// use zerver_engine::{FromRequest, Path, Request};
///
/// let request = Request::get("/lists/home/todos/7").with_param("list", "home").with_param("id", "7");
/// let Path((list, id)) = Path::<(String, u64)>::from_request(&request)?;
/// assert_eq!((list.as_str(), id), ("home", 7));
/// # Ok::<(), zerver_engine::Failure>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Path<T> {
    const DESC: Option<InputDesc> = Some(InputDesc { part: InputPart::Path, shape: Shape::of::<T> });

    fn from_request(request: &Request) -> Result<Self, Failure> {
        match deserialize(PathParams(&request.params), ToString::to_string) {
            Ok(value) => Ok(Self(value)),
            Err((error, _)) => Err(error.add_to(Failure::not_found("path", request.uri.path()), false)),
        }
    }
}

/// All parameters of a path.
struct PathParams<'de>(&'de Params);

impl<'de> PathParams<'de> {
    /// Returns the text of the only parameter.
    fn only(&self) -> Result<TextValue<'de>, TextError> {
        match &self.0[..] {
            [(_, value)] => Ok(TextValue(value)),
            params => Err(TextError::custom(format!(
                "the route has {} parameters, and the step takes one value",
                params.len()
            ))),
        }
    }
}

macro_rules! of_only {
    ($($method:ident)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TextError> {
            self.only()?.$method(visitor)
        })+
    };
}

impl<'de> Deserializer<'de> for PathParams<'de> {
    type Error = TextError;

    of_only! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_option
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, TextError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, TextError> {
        self.only()?.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TextError> {
        visitor.visit_unit()
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TextError> {
        visitor.visit_seq(SeqDeserializer::new(self.0.iter().map(|(_, value)| TextValue(value))))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, TextError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, TextError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TextError> {
        let pairs = self.0.iter().map(|(name, value)| (&**name, TextValue(value)));
        visitor.visit_map(MapDeserializer::new(pairs))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, TextError> {
        self.deserialize_map(visitor)
    }

    forward_to_deserialize_any! { unit_struct identifier ignored_any }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    fn request(params: &[(&str, &str)]) -> Request {
        params.iter().fold(Request::get("/a"), |request, (name, value)| request.with_param(name, value))
    }

    fn path<T: DeserializeOwned>(params: &[(&str, &str)]) -> Result<T, String> {
        Path::from_request(&request(params)).map(|Path(value)| value).map_err(|failure| failure.to_string())
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Color {
        Red,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Id(u64);

    #[derive(Debug, Deserialize, PartialEq)]
    struct Both {
        list: String,
        id: Id,
        color: Option<Color>,
    }

    #[test]
    fn one_value() {
        assert_eq!(path::<u64>(&[("id", "7")]), Ok(7));
        assert_eq!(path::<Id>(&[("id", "7")]), Ok(Id(7)));
        assert_eq!(path::<(Id,)>(&[("id", "7")]), Ok((Id(7),)));
        assert_eq!(path::<String>(&[("name", "é/x")]), Ok("é/x".to_owned()));
        assert_eq!(path::<Color>(&[("color", "red")]), Ok(Color::Red));
        assert_eq!(path::<char>(&[("c", "é")]), Ok('é'));
        assert_eq!(path::<f64>(&[("f", "1e2")]), Ok(100.0));
        let error = "not_found path /a: \"x\" is not a whole number from 0";
        assert_eq!(path::<u64>(&[("id", "x")]), Err(error.to_owned()));
        let many = path::<u64>(&[("a", "1"), ("b", "2")]).unwrap_err();
        assert_eq!(many, "not_found path /a: the route has 2 parameters, and the step takes one value");
    }

    #[test]
    fn several_values() {
        let params = [("list", "home"), ("id", "7")];
        assert_eq!(path::<(String, u64)>(&params), Ok(("home".to_owned(), 7)));
        assert_eq!(path::<Both>(&params), Ok(Both { list: "home".to_owned(), id: Id(7), color: None }));
        let wrong = path::<Both>(&[("list", "home"), ("id", "-1")]).unwrap_err();
        assert_eq!(wrong, "not_found path /a: id \"-1\" is not a whole number from 0");
        assert!(path::<(u64, u64, u64)>(&params).is_err());
        assert_eq!(path::<Vec<String>>(&params), Ok(vec!["home".to_owned(), "7".to_owned()]));
        #[derive(Debug, Deserialize, PartialEq)]
        struct Many {
            id: Vec<u8>,
        }
        assert_eq!(path::<Many>(&[("id", "7")]), Ok(Many { id: vec![7] }));
    }
}
