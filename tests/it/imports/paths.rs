//! The paths that a source file names: those of its `use` declarations, and those in its code.

/// A name that a `use` declaration introduces, and the path that it stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Import {
    /// Name in the file, or `*` for all names of a module.
    pub(super) name: String,
    pub(super) path: Vec<String>,
}

/// Returns the imports of a file, and its code without them.
pub(super) fn imports(code: &str) -> (Vec<Import>, String) {
    let (mut imports, mut rest) = (Vec::new(), String::with_capacity(code.len()));
    let mut at = 0;
    while let Some(found) = code[at..].find("use ") {
        let start = at + found;
        let is_word = code[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let Some(len) = code[start..].find(';').filter(|_| !is_word) else {
            rest.push_str(&code[at..start + 4]);
            at = start + 4;
            continue;
        };
        rest.push_str(&code[at..start]);
        tree(&code[start + 4..start + len], &[], &mut imports);
        at = start + len + 1;
    }
    rest.push_str(&code[at..]);
    (imports, rest)
}

/// Reads one tree of a `use` declaration: `a::b`, `a::b as c`, `a::*` or `a::{b, c::d}`.
fn tree(text: &str, prefix: &[String], imports: &mut Vec<Import>) {
    let text = text.trim();
    if let Some(open) = text.find('{') {
        let mut path = prefix.to_vec();
        path.extend(segments(&text[..open]));
        let inner = &text[open + 1..text.rfind('}').unwrap_or(text.len())];
        let (mut depth, mut start) = (0, 0);
        for (at, c) in inner.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    tree(&inner[start..at], &path, imports);
                    start = at + 1;
                }
                _ => {}
            }
        }
        return tree(&inner[start..], &path, imports);
    }
    let (path, alias) = match text.split_once(" as ") {
        Some((path, alias)) => (path, Some(alias.trim().to_owned())),
        None => (text, None),
    };
    let mut full = prefix.to_vec();
    full.extend(segments(path));
    if full.len() > 1 && full.last().is_some_and(|last| last == "self") {
        full.pop();
    }
    if let Some(last) = full.last().cloned().filter(|_| !text.is_empty()) {
        imports.push(Import { name: alias.unwrap_or(last), path: full });
    }
}

fn segments(path: &str) -> impl Iterator<Item = String> {
    path.split("::").map(|segment| segment.trim().to_owned()).filter(|segment| !segment.is_empty())
}

/// Returns the paths of two or more segments in code, such as `crate::a::b` and `module::function`.
pub(super) fn inline_paths(code: &str) -> Vec<Vec<String>> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = code.split(|c: char| !is_part(c)).filter(|word| word.contains("::"));
    words.map(|word| segments(word).collect::<Vec<_>>()).filter(|path| path.len() > 1).collect()
}
