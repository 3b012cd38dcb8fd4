//! JSON that is safe on a terminal: what [`zerver_trace::text::clean`] would escape is written as `\u`, so a parser of the
//! JSON loses nothing.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, PrettyFormatter, Serializer};
use zerver_trace::text::is_dangerous;

/// Returns a document with a newline: indented for people, or on one line for programs.
pub(crate) fn document(value: &impl Serialize, pretty: bool) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    if pretty {
        value.serialize(&mut Serializer::with_formatter(&mut out, Safe(PrettyFormatter::new())))?;
    } else {
        value.serialize(&mut Serializer::with_formatter(&mut out, Safe(CompactFormatter)))?;
    }
    out.push(b'\n');
    Ok(out)
}

struct Safe<F>(F);

/// Delegates to the inner formatter, except for the text of strings.
macro_rules! delegate {
    ($($method:ident($($arg:ident: $type:ty),*);)*) => {
        $(fn $method<W: ?Sized + Write>(&mut self, writer: &mut W $(, $arg: $type)*) -> io::Result<()> {
            self.0.$method(writer $(, $arg)*)
        })*
    };
}

impl<F: Formatter> Formatter for Safe<F> {
    delegate! {
        write_char_escape(escape: CharEscape);
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        end_object_key();
        begin_object_value();
        end_object_value();
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(is_dangerous) {
            writer.write_all(&rest.as_bytes()[..at])?;
            let mut chars = rest[at..].chars();
            for unit in chars.next().unwrap_or_default().encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = chars.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn dangerous_characters_are_escaped_and_none_is_lost() {
        let text = "a\u{1b}[2J\u{9b}31m\u{202e}\u{7f}\u{e0041}\n\"\\ ü🎉";
        let value = BTreeMap::from([(text, vec![text])]);
        for pretty in [true, false] {
            let out = String::from_utf8(document(&value, pretty).unwrap()).unwrap();
            assert!(!out.chars().any(|c| is_dangerous(c) && c != '\n'), "{out:?}");
            let back: BTreeMap<String, Vec<String>> = serde_json::from_str(&out).unwrap();
            assert_eq!(back[text], [text]);
        }
        let out = document(&"\u{9b}\u{e0041}", false).unwrap();
        assert_eq!(out, b"\"\\u009b\\udb40\\udc41\"\n");
    }
}
