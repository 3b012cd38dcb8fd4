//! Samples: a measure of each request of a set, in the order of time.

use std::collections::{BTreeMap, BTreeSet};

use super::measurement::{ChangeMeasure, ChangeSubject, Measurement, RowKey};
use crate::why::Scalar;

/// Maximum number of different values of a field that is compared value by value.
const MAX_VALUES: usize = 8;
/// Minimum number of different numbers of a field that is compared as an amount.
const MIN_NUMBERS: usize = 3;

/// A measure of the requests of both sets.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Samples {
    Amounts([Vec<f64>; 2]),
    /// True for each request that counts.
    Shares([Vec<bool>; 2]),
}

/// Returns the rows of two sets of measurements.
pub(super) fn rows(sets: [&[Measurement]; 2]) -> BTreeMap<RowKey, Samples> {
    let mut rows = BTreeMap::new();
    let both = || sets.into_iter().flatten();
    let amounts: BTreeSet<&RowKey> = both().flat_map(|of| of.amounts.keys()).collect();
    for key in amounts {
        let of_set = |set: &[Measurement]| set.iter().filter_map(|of| of.amounts.get(key).copied()).collect();
        rows.insert(key.clone(), Samples::Amounts(sets.map(of_set)));
        let occurrence = match (&key.0, &key.1) {
            (ChangeSubject::Step(_), ChangeMeasure::Cpu) => ChangeMeasure::Ran,
            (ChangeSubject::Effect { .. }, ChangeMeasure::Wait) => ChangeMeasure::Requested,
            _ => continue,
        };
        let has = |set: &[Measurement]| set.iter().map(|of| of.amounts.contains_key(key)).collect();
        rows.insert((key.0.clone(), occurrence), Samples::Shares(sets.map(has)));
    }
    let effects: BTreeSet<&ChangeSubject> = both().flat_map(|of| of.has_failed_calls.keys()).collect();
    for effect in effects {
        let of_set = |set: &[Measurement]| {
            set.iter().filter_map(|of| of.has_failed_calls.get(effect).copied()).collect()
        };
        rows.insert((effect.clone(), ChangeMeasure::FailedCalls), Samples::Shares(sets.map(of_set)));
    }
    let fields: BTreeSet<&String> = both().flat_map(|of| of.fields.keys()).collect();
    for field in fields {
        add_field(field, sets, &mut rows);
    }
    rows
}

/// Adds the rows of a field: its amount if it is a number, or else a share for each of a few values.
fn add_field(field: &str, sets: [&[Measurement]; 2], rows: &mut BTreeMap<RowKey, Samples>) {
    let mut values: BTreeSet<String> = BTreeSet::new();
    let (mut is_number, mut numbers) = (true, BTreeSet::new());
    for value in sets.into_iter().flatten().filter_map(|of| of.fields.get(field)) {
        match value {
            Scalar::Number(number, _) => {
                numbers.insert(number.to_bits());
            }
            Scalar::Text(_) => is_number = false,
        }
        if values.len() <= MAX_VALUES {
            values.insert(value.show());
        }
    }
    let subject = || ChangeSubject::Field(field.to_owned());
    if is_number && numbers.len() >= MIN_NUMBERS {
        let number = |of: &Measurement| match of.fields.get(field)? {
            Scalar::Number(number, _) => Some(*number),
            Scalar::Text(_) => None,
        };
        let of_set = |set: &[Measurement]| set.iter().filter_map(number).collect();
        rows.insert((subject(), ChangeMeasure::Value), Samples::Amounts(sets.map(of_set)));
    } else if values.len() <= MAX_VALUES {
        for value in &values {
            let has = |of: &Measurement| of.fields.get(field).is_some_and(|found| found.show() == *value);
            let of_set = |set: &[Measurement]| set.iter().map(has).collect();
            let measure = ChangeMeasure::HasValue(value.clone());
            rows.insert((subject(), measure), Samples::Shares(sets.map(of_set)));
        }
    }
}
