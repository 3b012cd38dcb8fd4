//! Keys of the pages, those of the terminal UI where it has them. The script acts on them; the help lists them.

/// Pages on which keys work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyScope {
    Everywhere,
    Requests,
    Request,
}

/// Keys, where they work, and what they do. A key that follows a link or presses a button has that element marked with
/// `data-key`.
pub(crate) const KEYS: &[(&str, KeyScope, &str)] = &[
    ("j k", KeyScope::Everywhere, "Next and previous row; also the arrow keys"),
    ("g G", KeyScope::Everywhere, "First and last row"),
    ("Enter", KeyScope::Everywhere, "Open the row"),
    ("n N", KeyScope::Everywhere, "Next and previous row with a failure"),
    ("/", KeyScope::Everywhere, "Type a query"),
    ("Escape", KeyScope::Everywhere, "Leave the text field, close the help, or go back"),
    ("1", KeyScope::Everywhere, "Requests"),
    ("5", KeyScope::Everywhere, "Flows"),
    ("6", KeyScope::Everywhere, "Heat map"),
    ("7", KeyScope::Everywhere, "SQL"),
    ("8", KeyScope::Everywhere, "Scheduler"),
    ("9", KeyScope::Everywhere, "Catalog"),
    ("?", KeyScope::Everywhere, "This help"),
    ("f", KeyScope::Requests, "Pause and resume live updates"),
    ("s", KeyScope::Requests, "Next order"),
    ("m", KeyScope::Requests, "Set the first request of a comparison"),
    ("d", KeyScope::Requests, "Compare it with this row"),
    ("2", KeyScope::Request, "Timeline"),
    ("3", KeyScope::Request, "Compare with another request"),
    ("4 r", KeyScope::Request, "Replay"),
    ("w", KeyScope::Request, "Why it was slow"),
    ("o", KeyScope::Request, "Where a value came from"),
    ("t", KeyScope::Request, "Slots over time"),
    ("h l", KeyScope::Request, "Previous and next event"),
    ("[ ]", KeyScope::Request, "Older and newer request of the flow"),
    ("z", KeyScope::Request, "Fold stretches in which nothing happens"),
    ("y", KeyScope::Request, "Copy the id"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::assets::SCRIPT;

    #[test]
    fn the_script_knows_the_keys_that_follow_no_link() {
        for (keys, _, what) in KEYS {
            for key in keys.split(' ') {
                let is_link = key.bytes().all(|byte| byte.is_ascii_digit())
                    || ["s", "r", "w", "o", "t", "h", "l", "z", "[", "]"].contains(&key);
                assert_eq!(SCRIPT.contains(&format!("case \"{key}\"")), !is_link, "{key}: {what}");
            }
        }
        assert!(SCRIPT.contains("data-key"));
    }
}
