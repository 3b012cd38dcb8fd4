//! Decimal numbers compared as they are written, without rounding.

/// A decimal number. Equal for all ways to write the same number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decimal<'t> {
    is_negative: bool,
    /// All digits without leading and trailing zeros.
    digits: String,
    /// Power of ten of the last digit.
    exponent: i64,
    /// Original text, set only if the exponent is too long to compute with.
    verbatim: Option<&'t str>,
}

impl<'t> Decimal<'t> {
    /// Parses a number in JSON syntax. Zero keeps its sign.
    pub(crate) fn of(text: &'t str) -> Self {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let is_negative = mantissa.starts_with('-');
        let mantissa = mantissa.trim_start_matches('-');
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [whole, fraction].concat();
        let digits = all.trim_end_matches('0');
        let places = all.len() as i64 - digits.len() as i64 - fraction.len() as i64;
        let digits = digits.trim_start_matches('0').to_owned();
        let written = exponent.parse::<i64>().ok().and_then(|exponent| exponent.checked_add(places));
        match written {
            Some(_) if digits.is_empty() => Self { is_negative, digits, exponent: 0, verbatim: None },
            Some(exponent) => Self { is_negative, digits, exponent, verbatim: None },
            None => Self { is_negative, digits, exponent: 0, verbatim: Some(text) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        let same = |a: &str, b: &str| assert_eq!(Decimal::of(a), Decimal::of(b), "{a} {b}");
        let differ = |a: &str, b: &str| assert_ne!(Decimal::of(a), Decimal::of(b), "{a} {b}");
        same("1e2", "100.0");
        same("1E+2", "100");
        same("0.00120", "1.2e-3");
        same("-1200e-2", "-12");
        same("0.0", "0e9");
        differ("0.0", "-0.0");
        differ("1", "-1");
        differ("1", "10");
        differ("0.1", "0.10000000000000000001");
        differ("1e99999999999999999999", "1e99999999999999999998");
        differ("1e99999999999999999999", "1e0");
    }
}
