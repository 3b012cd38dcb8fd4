//! Values after a name in a text of any format.

use std::ops::Range;

use super::scanner::Scan;
use crate::secret::names::{MAX_NAME, NameWords, Sensitivity, is_credentials_header, is_plural};
use crate::secret::{Author, is_scheme, placeholder, strength};

/// Maximum length of the headers of a multipart part, and of the attributes of an element.
const MAX_HEADERS: usize = 1024;
/// Maximum length of a line that is examined as one.
const MAX_LINE: usize = 4096;
/// Names of attributes and entries that contain the value for the name in a sibling.
const VALUES: [&[u8]; 4] = [b"value", b"val", b"content", b"data"];
impl Scan<'_, '_> {
    /// Examines the text after a name of the given sensitivity. Returns the index at which to continue.
    pub(super) fn named_value(&mut self, name: Range<usize>, sensitivity: Sensitivity) -> usize {
        let text = self.text;
        if let Some(end) = self.mask(&name) {
            return end;
        }
        if let Some(end) = self.element(&name, sensitivity) {
            return end;
        }
        let mut at = self.brackets(name.end);
        at = self.skip(at, b"\\");
        let quote = text.get(at).copied().filter(|b| b"\"'`".contains(b));
        let is_quoted = quote.is_some() || self.is_at(at, b"&quot;");
        at = match quote {
            Some(_) => at + 1,
            None if is_quoted => at + 6,
            None => at,
        };
        if is_quoted && let Some(end) = self.part(&name, at) {
            return end;
        }
        let spaced = self.skip(at, b" \t");
        match text.get(self.skip(at, b" \t\r\n")) {
            Some(b':') if is_quoted => {
                let colon = self.skip(at, b" \t\r\n");
                self.json(colon + 1, sensitivity, is_plural(&text[name]), 0)
            }
            Some(b',') if is_quoted => self.sibling_value(at),
            _ if is_quoted && spaced > at && text.get(spaced) != Some(&b'=') => self.sibling_value(at),
            _ => match text.get(spaced) {
                Some(b'=') => self.equals(&name, spaced),
                Some(b'%') if self.is_at(spaced, b"%3D") => self.encoded(spaced + 3),
                Some(b':') if text.get(spaced + 1) == Some(&b':') => spaced,
                Some(b':') => self.colon(&name, spaced + 1, sensitivity),
                // The debug format of Rust: `Token("…")`.
                Some(b'(') if spaced == at && self.text.get(at + 1) == Some(&b'"') => {
                    self.json(at + 1, sensitivity, false, 0)
                }
                Some(_) if spaced > at && !is_quoted => self.next_word(&name, spaced),
                _ => at,
            },
        }
    }

    /// Returns the end of a mask of the recorder: `<secret:3f9a2c71d0e4>`.
    fn mask(&self, name: &Range<usize>) -> Option<usize> {
        let hash = self.text[..name.end]
            .ends_with(b"<secret")
            .then(|| self.text.get(name.end..name.end + 14))
            .flatten()?;
        let [b':', digits @ .., b'>'] = hash else { return None };
        digits.iter().all(u8::is_ascii_hexdigit).then_some(name.end + 14)
    }

    /// Skips the brackets after a name: the closing one around it, and further ones: `]`, `[value]`, `[]`, `%5D`.
    fn brackets(&self, mut at: usize) -> usize {
        loop {
            let open = match self.text.get(at) {
                Some(b']') => {
                    at += 1;
                    continue;
                }
                Some(b'[') => 1,
                Some(b'%') if self.is_at(at, b"%5D") => {
                    at += 3;
                    continue;
                }
                Some(b'%') if self.is_at(at, b"%5B") => 3,
                _ => return at,
            };
            let is_key = |b: &&u8| b.is_ascii_alphanumeric() || matches!(**b, b'_' | b'-');
            let key = self.text[at + open..].iter().take(MAX_NAME).take_while(is_key).count();
            match self.text.get(at + open + key) {
                Some(b']') => at += open + key + 1,
                Some(b'%') if open == 3 => {
                    // The key ends at the `%5D`, as in `%5Bvalue%5D`.
                    if !self.is_at(at + open + key, b"%5D") {
                        return at;
                    }
                    at += open + key + 3;
                }
                _ => return at,
            }
        }
    }

    /// Handles the content of an XML element with this name.
    fn element(&mut self, name: &Range<usize>, sensitivity: Sensitivity) -> Option<usize> {
        let text = self.text;
        let mut start = name.start;
        if start > 0 && text[start - 1] == b':' {
            start -= 1 + text[..start - 1]
                .iter()
                .rev()
                .take(MAX_NAME)
                .take_while(|b| b.is_ascii_alphanumeric())
                .count();
        }
        if start == 0
            || text[start - 1] != b'<'
            || !text.get(name.end).is_some_and(|b| b" \t\r\n>/".contains(b))
        {
            return None;
        }
        let open = self.find(name.end, b">", MAX_HEADERS)?;
        if text[open - 1] == b'/' {
            return None;
        }
        let mut from = open + 1;
        // Attributes can contain secrets too, but the content is examined only once.
        let end = loop {
            let found = self.find(from, b"</", self.budget);
            self.budget = self.budget.saturating_sub(found.unwrap_or(text.len()) - from);
            let Some(close) = found else {
                // Truncated, or not an element: `<token>` can also be a placeholder or a mask.
                if self.author == Author::Service {
                    return None;
                }
                break text.len();
            };
            let rest = &text[close + 2..];
            let len = rest.iter().position(|b| b" \t\r\n>".contains(b)).unwrap_or(rest.len());
            if rest[..len].eq_ignore_ascii_case(&text[start..name.end]) {
                break close;
            }
            from = close + 2;
        };
        let mut content = open + 1..end;
        const CDATA: &[u8] = b"<![CDATA[";
        if text[content.clone()].trim_ascii_start().starts_with(CDATA) {
            content.start = self.find(content.start, CDATA, usize::MAX)? + CDATA.len();
            content.end = self.find(content.start, b"]]>", usize::MAX).unwrap_or(end).min(end);
        } else if text[content.clone()].contains(&b'<') && sensitivity == Sensitivity::SecretText {
            return None;
        }
        let space = text[content.clone()].iter().take_while(|b| b.is_ascii_whitespace()).count();
        content.start = (content.start + space).min(content.end);
        self.value(content);
        Some(end)
    }

    /// Handles the content of a multipart part with this name. `at` is the index after the closing quote of the name.
    fn part(&mut self, name: &Range<usize>, at: usize) -> Option<usize> {
        let before = &self.text[..name.start];
        // The name can have brackets: `name="user[password]"`.
        let quote = before.iter().rev().take(MAX_NAME).position(|&b| b == b'"')?;
        let before = &before[..before.len() - quote - 1];
        if !before.ends_with(b"name=") || !matches!(self.text.get(at), Some(b'\r' | b'\n' | b';')) {
            return None;
        }
        let long = self.find(at, b"\r\n\r\n", MAX_HEADERS).map(|end| end + 4);
        let start = long.or_else(|| self.find(at, b"\n\n", MAX_HEADERS).map(|end| end + 2))?;
        let end = self.find(start, b"\n--", usize::MAX).unwrap_or(self.text.len());
        let end = if end > start && self.text[end - 1] == b'\r' { end - 1 } else { end };
        self.value(start..end);
        Some(end)
    }

    /// Handles `"password", "value": …` and `"password" value="…"`. `at` is the index after the closing quote.
    fn sibling_value(&mut self, at: usize) -> usize {
        let start = self.skip(at, b", \t\r\n\\\"'");
        let Some(word) = VALUES.iter().find(|word| self.is_at(start, word)) else { return at };
        let next = self.skip(start + word.len(), b"\\\"' \t");
        match self.text.get(next) {
            Some(b':') => self.json(next + 1, Sensitivity::Secret, false, 0),
            Some(b'=') => self.equals(&(start..start + word.len()), next),
            _ => at,
        }
    }

    /// Handles the value after an equals sign, two equals signs, or an arrow.
    fn equals(&mut self, name: &Range<usize>, at: usize) -> usize {
        let text = self.text;
        let is_spaced = at > name.end && text[at - 1] == b' ';
        let at = self.skip(self.skip(at, b"=>"), b" \t");
        if let Some((content, end)) = self.quoted(at, b"\"'`") {
            self.value(content);
            return end;
        }
        let is_list = name.start > 0 && text[name.start - 1] == b';';
        let end = self.unquoted_end(at, is_list);
        let value = &text[at..end];
        if self.author == Author::Service && self.is_code(value, is_spaced) {
            return end;
        }
        self.value(at..end);
        end
    }

    /// Returns the end of a value without quotes. `is_list` is true if semicolons separate the values.
    fn unquoted_end(&self, at: usize, is_list: bool) -> usize {
        let text = self.text;
        let mut open = 0usize;
        for (end, &b) in text.iter().enumerate().skip(at) {
            let next = text.get(end + 1);
            let is_over = |b: Option<&u8>| b.is_none_or(|b| b.is_ascii_whitespace() || b",;)}]".contains(b));
            let ends = match b {
                b'&' | b'\r' | b'\n' | b'"' | b'<' | b';' | b'`' => true,
                b' ' | b'\t' => !is_list,
                b'\'' => is_over(next),
                b',' => is_over(next) || self.is_name_and_equals(end + 1),
                b'(' | b'[' | b'{' => {
                    open += 1;
                    false
                }
                b')' | b']' | b'}' => {
                    let closes = open == 0 && is_over(next);
                    open = open.saturating_sub(1);
                    closes
                }
                _ => false,
            };
            if ends {
                return end;
            }
        }
        text.len()
    }

    fn is_name_and_equals(&self, at: usize) -> bool {
        let rest = &self.text[at..];
        let len = rest
            .iter()
            .take(MAX_NAME)
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
            .count();
        len > 0 && rest.get(len) == Some(&b'=')
    }

    /// Returns true if a value is program code: a call, or a field of such a name with spaces around the equals sign.
    fn is_code(&self, value: &[u8], is_spaced: bool) -> bool {
        let is_path = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.');
        let len = value.iter().take_while(|b| is_path(b)).count();
        if len > 0 && value.get(len) == Some(&b'(') {
            return true;
        }
        let field = value.iter().rposition(|&b| b == b'.').map(|dot| &value[dot + 1..]);
        is_spaced
            && len == value.len()
            && field.is_some_and(|field| self.rule.words(&NameWords::split(field)) != Sensitivity::NotSecret)
    }

    /// Handles the value after a percent-encoded equals sign, as in a URL within a URL.
    fn encoded(&mut self, at: usize) -> usize {
        let end = self.unquoted_end(at, false);
        let end = self.find(at, b"%26", end - at).unwrap_or(end);
        self.value(at..end);
        end
    }

    /// Handles the value after a colon: a value in the syntax of a program, or the rest of the line.
    fn colon(&mut self, name: &Range<usize>, at: usize, sensitivity: Sensitivity) -> usize {
        let text = self.text;
        let mut at = self.skip(at, b" \t");
        for wrapper in [&b"Some("[..], b"Ok(", b"Err("] {
            if text[at..].starts_with(wrapper) {
                at += wrapper.len();
            }
        }
        if let Some((content, end)) = self.quoted(at, b"'") {
            self.value(content);
            return end;
        }
        if matches!(text.get(self.skip(at, b"\\")), Some(b'"' | b'[' | b'{')) {
            return self.json(at, sensitivity, is_plural(&text[name.clone()]), 0);
        }
        let rest = &text[at..text.len().min(at + MAX_LINE)];
        let line = at + rest.iter().position(|b| b"\r\n\"<".contains(b)).unwrap_or(rest.len());
        if is_credentials_header(&text[name.clone()]) {
            let word = text[at..line].iter().position(|&b| b == b' ').unwrap_or(0);
            let start = if is_scheme(&text[at..at + word]) { at + word + 1 } else { at };
            self.value(start..line);
            return line;
        }
        let number = &text[at..at + rest.iter().take_while(|b| b.is_ascii_digit()).count()];
        let is_whole = text.get(at + number.len()).is_none_or(|b| b",;)}] \r\n".contains(b));
        if !number.is_empty() && is_whole {
            return self.json(at, sensitivity, is_plural(&text[name.clone()]), 0);
        }
        if placeholder::is_visible(&text[at..line], self.author) {
            return line;
        }
        // A generated word ends at its own end. A phrase ends at the end of the line, or at the next name.
        let word = self.unquoted_end(at, false).min(line);
        if strength::is_generated(&text[at..word]) {
            self.value(at..word);
            return word;
        }
        let end = (at..line)
            .find(|&end| text[end] == b',' && self.is_name_and_colon(end + 1) || matches!(text[end], b'}'))
            .unwrap_or(line);
        self.value(at..end);
        end
    }

    fn is_name_and_colon(&self, at: usize) -> bool {
        let at = self.skip(at, b" ");
        let rest = &self.text[at..];
        let len = rest
            .iter()
            .take(MAX_NAME)
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
            .count();
        len > 0 && rest.get(len) == Some(&b':')
    }

    /// Handles the word after a name, if it looks generated or the name is a command-line option: `--password …`.
    fn next_word(&mut self, name: &Range<usize>, at: usize) -> usize {
        let at = self.skip(at, b"\"'`");
        let end = self.unquoted_end(at, false);
        let is_option = self.text[name.clone()].starts_with(b"--");
        if is_option || strength::is_generated(&self.text[at..end]) {
            self.value(at..end);
            return end;
        }
        name.end
    }
}
