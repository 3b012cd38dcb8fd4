//! Shell quoting: any bytes as one word, or as the format of `printf`. Nothing in the result moves a cursor, ends a
//! quotation early or is expanded, also not by the history expansion of an interactive shell.

use zerver_trace::text::is_dangerous;

/// One word for bash, zsh or ksh that stands for exactly these bytes. No argument can hold a NUL, which ends it there.
pub(super) fn word(bytes: &[u8]) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./:@%+,".contains(byte);
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && bytes.iter().all(is_plain) => text.to_owned(),
        Ok(text) if !text.chars().any(is_dangerous) => format!("'{}'", text.replace('\'', "'\\''")),
        _ => ansi_c(bytes),
    }
}

/// `$'..'`. Escapes have three octal digits, so what follows is never taken for a part of them. Quotes and exclamation
/// marks are escaped too: bash looks for `!` with a simpler idea of quoting, for which `\'` ends the quotation.
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

/// `printf '..'`, a command that writes exactly these bytes, NULs among them.
pub(super) fn printf(bytes: &[u8]) -> String {
    let mut out = String::from("printf '");
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'%' => out.push_str("%%"),
            b'\\' => out.push_str("\\\\"),
            // A format that begins with it would be an option.
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
