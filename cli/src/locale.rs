//! The character set of the user's locale, and an ASCII form of the symbols we draw with.

use std::borrow::Cow;
use std::env;

/// Returns true if the environment names a locale whose character set is not UTF-8, such as `C`. An unset locale counts as
/// UTF-8.
pub(crate) fn is_ascii() -> bool {
    is_ascii_by(&|name| env::var(name).ok())
}

/// Decides it by the given variables.
pub(crate) fn is_ascii_by(var: &dyn Fn(&str) -> Option<String>) -> bool {
    let set = |name: &&str| var(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set);
    locale.is_some_and(|locale| {
        let locale = locale.to_lowercase();
        locale == "c" || locale == "posix" || (locale.contains('.') && !locale.contains("utf"))
    })
}

/// Replaces the symbols that we draw with by ASCII. Letters of recorded data stay unchanged.
pub(crate) fn to_ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '█' | '▉' | '▊' => out.push('#'),
            '▋' | '▌' | '▐' => out.push('='),
            '▍' | '▎' => out.push('-'),
            '▏' => out.push('.'),
            '✓' => out.push('+'),
            '✗' => out.push('x'),
            '↳' => out.push('>'),
            '●' => out.push('*'),
            '│' => out.push('|'),
            '·' => out.push('-'),
            '≠' => out.push('!'),
            '…' => out.push('~'),
            'µ' => out.push('u'),
            '→' => out.push_str("->"),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides_the_character_set() {
        let check = |vars: &[(&str, &str)], expected| {
            let var =
                |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(is_ascii_by(&var), expected, "{vars:?}");
        };
        check(&[], false);
        check(&[("LC_ALL", "C")], true);
        check(&[("LC_ALL", ""), ("LANG", "POSIX")], true);
        check(&[("LC_ALL", "C.UTF-8"), ("LANG", "C")], false);
        check(&[("LC_CTYPE", "de_DE.ISO-8859-1"), ("LANG", "de_DE.UTF-8")], true);
        check(&[("LANG", "en_US.utf8")], false);
    }

    #[test]
    fn only_our_own_symbols_are_replaced() {
        assert_eq!(to_ascii("✓ 5.0 µs  ↳ kv  ███▏ a → b…"), "+ 5.0 us  > kv  ###. a -> b~");
        assert_eq!(to_ascii("Grüße 漢字"), "Grüße 漢字");
    }
}
