//! Shell quoting of arbitrary bytes, as one word or as a `printf` format. The result never moves the cursor, ends a
//! quotation early or triggers an expansion, not even the history expansion of an interactive shell.

use zerver_trace::text::is_dangerous;

/// Quotes bytes as one word for bash, zsh or ksh. Arguments cannot hold a NUL byte, which would end the word.
pub fn word(bytes: &[u8]) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./:@%+,".contains(byte);
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && bytes.iter().all(is_plain) => text.to_owned(),
        Ok(text) if !text.chars().any(is_dangerous) => format!("'{}'", text.replace('\'', "'\\''")),
        _ => ansi_c(bytes),
    }
}

/// Quotes as `$'…'`. Octal escapes always have three digits, so a following digit is never absorbed. Quotes and
/// exclamation marks are escaped as well: the history expansion of bash takes `\'` for the end of the quotation.
fn ansi_c(bytes: &[u8]) -> String {
    let mut out = String::from("$'");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                c if is_dangerous(c) || matches!(c, '\'' | '!') => {
                    c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| out.push_str(&octal(byte)));
                }
                c => out.push(c),
            }
        }
        chunk.invalid().iter().for_each(|byte| out.push_str(&octal(*byte)));
    }
    out + "'"
}

/// Returns a `printf '…'` command that writes exactly these bytes, NUL bytes included.
pub(super) fn printf(bytes: &[u8]) -> String {
    let mut out = String::from("printf '");
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'%' => out.push_str("%%"),
            b'\\' => out.push_str("\\\\"),
            // A format that starts with `-` would be parsed as an option.
            b'-' if at == 0 => out.push_str(&octal(*byte)),
            b'\'' => out.push_str(&octal(*byte)),
            b' '..=b'~' => out.push(char::from(*byte)),
            byte => out.push_str(&octal(*byte)),
        }
    }
    out + "'"
}

fn octal(byte: u8) -> String {
    format!("\\{byte:03o}")
}
