//! Remembers how names were classified. The same few hundred names of headers and fields occur in every trace, and
//! splitting one into words takes longer than finding it here.

use std::cell::RefCell;

use super::Sensitivity;

/// Maximum length of a name that is remembered, in bytes.
const MAX_LEN: usize = 30;
/// Number of names that are remembered. Another name at the same place replaces the one before.
const PLACES: usize = 512;

/// Classification of a name under one rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct NameClass {
    /// Sensitivity of a field of this name.
    pub(crate) field: Sensitivity,
    /// True if the value of a header of this name is a secret.
    pub(crate) is_secret_header: bool,
    /// True if the value of a URL parameter of this name is a secret in every flow.
    pub(crate) is_secret_parameter: bool,
}

#[derive(Clone, Copy)]
struct Entry {
    /// Number of the rule. Zero if the place is free.
    rule: u64,
    name: [u8; MAX_LEN],
    len: u8,
    class: NameClass,
}

const FREE: Entry = Entry {
    rule: 0,
    name: [0; MAX_LEN],
    len: 0,
    class: NameClass { field: Sensitivity::NotSecret, is_secret_header: false, is_secret_parameter: false },
};

thread_local! {
    static MEMO: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

/// Returns the classification of a name under the rule of this number, which is not zero.
pub(crate) fn classified(rule: u64, name: &[u8], classify: impl FnOnce() -> NameClass) -> NameClass {
    if name.len() > MAX_LEN {
        return classify();
    }
    let mut padded = [0; MAX_LEN];
    padded[..name.len()].copy_from_slice(name);
    let place = place_of(rule, name);
    let known = MEMO.with_borrow(|memo| {
        memo.get(place)
            .filter(|entry| {
                entry.rule == rule && usize::from(entry.len) == name.len() && entry.name == padded
            })
            .map(|entry| entry.class)
    });
    known.unwrap_or_else(|| {
        let class = classify();
        MEMO.with_borrow_mut(|memo| {
            memo.resize(PLACES, FREE);
            memo[place] = Entry { rule, name: padded, len: name.len() as u8, class };
        });
        class
    })
}

/// Places a name by its length, its ends and its middle (FNV-1a over these bytes).
fn place_of(rule: u64, name: &[u8]) -> usize {
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ rule ^ (name.len() as u64) << 8;
    let middle = name.len() / 2;
    for at in [0, 1, middle, middle + 1, name.len().wrapping_sub(2), name.len().wrapping_sub(1)] {
        hash = (hash ^ u64::from(name.get(at).copied().unwrap_or_default())).wrapping_mul(0x100_0000_01b3);
    }
    (hash >> 20) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_classified_once_per_rule() {
        let class = |is_secret_header| NameClass { is_secret_header, ..NameClass::default() };
        assert_eq!(classified(7, b"x-thing", || class(true)), class(true));
        assert_eq!(classified(7, b"x-thing", || class(false)), class(true), "remembered");
        assert_eq!(classified(8, b"x-thing", || class(false)), class(false), "another rule");
        assert_eq!(classified(7, b"x-thinh", || class(false)), class(false), "another name");
        let long = [b'x'; MAX_LEN + 1];
        assert_eq!(classified(7, &long, || class(true)), class(true));
        assert_eq!(classified(7, &long, || class(false)), class(false), "too long to be remembered");
    }

    #[test]
    fn names_that_share_a_place_are_not_confused() {
        let class = |n: usize| NameClass { is_secret_header: n.is_multiple_of(3), ..NameClass::default() };
        for _ in 0..2 {
            for n in 0..PLACES * 4 {
                assert_eq!(classified(1, format!("name-{n}").as_bytes(), || class(n)), class(n));
            }
        }
    }
}
