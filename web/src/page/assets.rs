//! Style and script, which are part of the program.

use crate::reply::Reply;

pub(crate) const STYLE: &str = include_str!("../../assets/style.css");
pub(crate) const SCRIPT: &str = include_str!("../../assets/app.js");

/// Returns the file at a path.
pub(crate) fn find(path: &str) -> Option<Reply> {
    match path {
        "/style.css" => Some(Reply::Asset("text/css; charset=utf-8", STYLE)),
        "/app.js" => Some(Reply::Asset("text/javascript; charset=utf-8", SCRIPT)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_small_and_makes_no_html_from_text() {
        assert!(SCRIPT.len() < 15 * 1024, "{} bytes", SCRIPT.len());
        for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("] {
            assert!(!SCRIPT.contains(sink), "{sink}");
        }
        assert!(!STYLE.contains("url("), "the style loads nothing");
    }
}
