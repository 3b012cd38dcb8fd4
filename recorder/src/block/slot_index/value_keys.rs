//! Keys of the values of slots, and of conditions on them.
//!
//! A key is a hash of the name of a slot, of the path of a part of its value, and of that part as a query compares it: as a
//! text, or as a number if it is one.

use xxhash_rust::xxh3::xxh3_64;
use zerver_trace::{Node, SlotCondition, SlotInfo};

/// Key of a block of which some values have no keys.
pub(super) const UNKNOWN: u64 = 0;
/// Maximum number of parts of a value that are indexed.
const MAX_PARTS: usize = 64;
/// Bytes that do not occur in texts: the end of a name or path, the beginning of a number, and the key of a name.
const END: u8 = 0xff;
const NUMBER: u8 = 0xfe;
const UNINDEXED: u8 = 0xfd;

/// Returns the keys of which a block has at least one if a trace in it meets the condition. Returns `None` if the index of
/// slots has no answer.
pub fn slot_keys(condition: &SlotCondition) -> Option<Vec<u64>> {
    let SlotCondition { slot, path, values } = condition;
    let name = last_segment(slot);
    // A slot that its flow does not list is called by its number.
    let is_unknown = name.starts_with("slot#");
    // The text of a list, of a struct or of a variant with content. Their parts have keys, and they themselves have none.
    let is_composite = |value: &String| value.ends_with([')', ']', '}']);
    // Another way to write the position in a list.
    let is_irregular = |part: &String| part.parse::<usize>().is_ok_and(|at| at.to_string() != *part);
    if is_unknown || values.iter().any(is_composite) || path.iter().any(is_irregular) {
        return None;
    }
    let mut buffer = beginning(name);
    path.iter().for_each(|part| add_to_path(&mut buffer, name.len() + 1, part));
    let keys = values.iter().map(|value| key_of_text(&mut buffer, value));
    Some([UNKNOWN, unindexed_key(name)].into_iter().chain(keys).collect())
}

/// Returns the names under which queries may ask for a slot.
pub(super) fn names(slot: &SlotInfo) -> impl Iterator<Item = &str> {
    let (name, of_path) = (last_segment(&slot.name), last_segment(&slot.path));
    [Some(name), Some(of_path).filter(|of_path| *of_path != name)].into_iter().flatten()
}

fn last_segment(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

/// Returns the key of a slot of which values have no keys.
pub(super) fn unindexed_key(name: &str) -> u64 {
    let mut buffer = beginning(name);
    buffer.push(UNINDEXED);
    xxh3_64(&buffer)
}

/// Returns the keys of the parts of a value. Returns `None` if there are too many.
pub(super) fn value_keys(name: &str, value: &Node<'_>) -> Option<Vec<u64>> {
    let mut parts = Parts { buffer: beginning(name), path_at: name.len() + 1, keys: Vec::new() };
    parts.add(value)?;
    Some(parts.keys)
}

fn beginning(name: &str) -> Vec<u8> {
    [name.as_bytes(), &[END]].concat()
}

fn add_to_path(buffer: &mut Vec<u8>, path_at: usize, part: &str) {
    if buffer.len() > path_at {
        buffer.push(b'.');
    }
    buffer.extend_from_slice(part.as_bytes());
}

/// Returns the key of a text at the path in the buffer. Numbers that are equal have equal keys.
fn key_of_text(buffer: &mut Vec<u8>, text: &str) -> u64 {
    let len = buffer.len();
    buffer.push(END);
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => {
            buffer.push(NUMBER);
            // Both zeros are equal.
            buffer.extend_from_slice(&(number + 0.0).to_bits().to_le_bytes());
        }
        _ => buffer.extend_from_slice(text.as_bytes()),
    }
    let key = xxh3_64(buffer);
    buffer.truncate(len);
    key
}

/// The parts of a value that a query can name.
struct Parts {
    /// Name of the slot, and the path of the current part.
    buffer: Vec<u8>,
    /// Beginning of the path.
    path_at: usize,
    keys: Vec<u64>,
}

impl Parts {
    fn add(&mut self, node: &Node<'_>) -> Option<()> {
        match node {
            Node::Some(inner) | Node::Variant(_, Some(inner)) => self.add(inner),
            Node::Struct(fields) => fields.iter().try_for_each(|(name, value)| self.add_within(name, value)),
            Node::Map(entries) => entries.iter().try_for_each(|(key, value)| match key {
                Node::Str(name) => self.add_within(name, value),
                // A query cannot name it.
                _ => Some(()),
            }),
            Node::Seq(items) => {
                items.iter().enumerate().try_for_each(|(at, item)| self.add_within(&at.to_string(), item))
            }
            leaf => {
                if self.keys.len() >= MAX_PARTS {
                    return None;
                }
                let key = match leaf.as_str() {
                    Some(text) => key_of_text(&mut self.buffer, text),
                    None => key_of_text(&mut self.buffer, &leaf.to_string()),
                };
                self.keys.push(key);
                Some(())
            }
        }
    }

    fn add_within(&mut self, part: &str, node: &Node<'_>) -> Option<()> {
        let len = self.buffer.len();
        add_to_path(&mut self.buffer, self.path_at, part);
        let added = self.add(node);
        self.buffer.truncate(len);
        added
    }
}
