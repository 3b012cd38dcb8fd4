//! Compares the slots that two runs wrote.

use std::collections::BTreeMap;

use zerver_trace::Recorded;

use crate::SlotWrite;
use crate::diff::compare::differences::{Differences, Subject};

/// A write, with index and label of the effect whose answer it came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlacedWrite<'t> {
    pub(crate) write: &'t SlotWrite,
    pub(crate) effect: Option<(usize, &'t str)>,
}

/// Compares writes slot by slot: those of `a` in order, then those that only `b` has. The last write to a slot counts.
pub(crate) fn writes(
    at: &Subject<'_>,
    a: &[PlacedWrite<'_>],
    b: &[PlacedWrite<'_>],
    found: &mut Differences<'_>,
) {
    let by_name = |list| -> BTreeMap<&str, usize> {
        let list: &[PlacedWrite<'_>] = list;
        list.iter().enumerate().map(|(place, placed)| (placed.write.name.as_str(), place)).collect()
    };
    let (in_a, in_b) = (by_name(a), by_name(b));
    let last = |names: &BTreeMap<&str, usize>, (place, placed): &(usize, &PlacedWrite<'_>)| {
        names.get(placed.write.name.as_str()) == Some(place)
    };
    let of_a = a.iter().enumerate().filter(|placed| last(&in_a, placed)).map(|(_, placed)| placed);
    let of_b = b.iter().enumerate().filter(|placed| last(&in_b, placed)).map(|(_, placed)| placed);
    let only_b = of_b.filter(|placed| !in_a.contains_key(placed.write.name.as_str()));
    for PlacedWrite { write, .. } in of_a.chain(only_b) {
        let name = write.name.as_str();
        let (a, b) = (in_a.get(name).map(|at| a[*at]), in_b.get(name).map(|at| b[*at]));
        if found.may_lack(a.is_some(), b.is_some()) {
            found.skip(at, name, "events were dropped while recording");
            continue;
        }
        let secret = [a, b].into_iter().flatten().any(|placed| placed.write.is_secret);
        let effect = b.or(a).and_then(|placed| placed.effect);
        let at = match (effect, at.row) {
            (Some((place, label)), Some((row, _))) => {
                Subject { row: Some((row, Some(place))), effect: Some(label), ..*at }
            }
            _ => *at,
        };
        fn value(placed: Option<PlacedWrite<'_>>) -> Option<&Recorded> {
            placed.map(|placed| &placed.write.value)
        }
        found.compare(&at, name, value(a), value(b), secret);
    }
}
