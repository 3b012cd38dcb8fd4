//! Durations with three significant digits: the one rule for all durations that are shown.

const MICROSECOND: u128 = 1_000;
const MILLISECOND: u128 = 1_000_000;
const SECOND: u128 = 1_000_000_000;
const MINUTE: u128 = 60 * SECOND;
const HOUR: u128 = 60 * MINUTE;
const DAY: u128 = 24 * HOUR;

/// Formats a duration with three significant digits: `840 ns`, `12.3 µs`, `5.40 ms`, `905 ms`, `1.20 s`, `3m 05s`.
pub fn show(ns: u64) -> String {
    show_size(ns.into())
}

/// Formats a difference with its sign: `+1.50 ms`, `-31.2 µs`, `0 ns`.
pub fn show_signed(ns: i128) -> String {
    let sign = match ns {
        0 => "",
        1.. => "+",
        _ => "-",
    };
    format!("{sign}{}", show_size(ns.unsigned_abs()))
}

/// Formats the parts of a sum as [`show`] does, rounded so that they add up to the sum that is shown.
pub fn show_parts(parts_ns: &[u64]) -> Vec<String> {
    let parts: Vec<i128> = parts_ns.iter().map(|&ns| ns.into()).collect();
    round_parts(&parts).into_iter().map(|ns| show_size(ns.unsigned_abs())).collect()
}

/// Formats the parts of a difference as [`show_signed`] does, rounded so that they add up to the difference that is shown.
pub fn show_signed_parts(parts_ns: &[i128]) -> Vec<String> {
    round_parts(parts_ns).into_iter().map(show_signed).collect()
}

fn show_size(ns: u128) -> String {
    let rounded = round(ns);
    let (unit, unit_ns) = match rounded {
        0..MICROSECOND => return format!("{rounded} ns"),
        MICROSECOND..MILLISECOND => ("µs", MICROSECOND),
        MILLISECOND..SECOND => ("ms", MILLISECOND),
        SECOND..MINUTE => ("s", SECOND),
        MINUTE..HOUR => return format!("{}m {:02}s", rounded / MINUTE, rounded % MINUTE / SECOND),
        HOUR..DAY => return format!("{}h {:02}m", rounded / HOUR, rounded % HOUR / MINUTE),
        _ => return format!("{}d {:02}h", rounded / DAY, rounded % DAY / HOUR),
    };
    let whole = rounded / unit_ns;
    let decimals: u32 = match whole {
        0..10 => 2,
        10..100 => 1,
        _ => return format!("{whole} {unit}"),
    };
    let part = rounded % unit_ns / (unit_ns / 10u128.pow(decimals));
    format!("{whole}.{part:0>digits$} {unit}", digits = decimals as usize)
}

/// Rounds to what [`show`] shows; halves up.
fn round(ns: u128) -> u128 {
    let quantum = quantum(ns);
    (ns + quantum / 2) / quantum * quantum
}

/// Returns the value of the last digit shown, in nanoseconds.
fn quantum(ns: u128) -> u128 {
    match ns {
        0..MICROSECOND => 1,
        MICROSECOND..MINUTE => 10u128.pow(ns.ilog10() - 2),
        MINUTE..HOUR => SECOND,
        HOUR..DAY => MINUTE,
        _ => HOUR,
    }
}

/// Rounds the parts of a sum to three significant digits, so that they add up to the sum that is shown: to its last
/// digit, or to that of the largest part if that is larger than the sum.
fn round_parts(parts: &[i128]) -> Vec<i128> {
    let total: i128 = parts.iter().sum();
    let largest = parts.iter().chain([&total]).map(|ns| ns.unsigned_abs()).max().unwrap_or(0);
    let last_digit = quantum(largest);
    let rounded = |ns: i128| round(ns.unsigned_abs()) as i128 * ns.signum();
    let mut shown: Vec<i128> = parts.iter().map(|&ns| rounded(ns)).collect();
    // Smaller parts have a finer last digit. The others are rounded up or down to what is left.
    let coarse: Vec<usize> =
        (0..parts.len()).filter(|&at| quantum(parts[at].unsigned_abs()) == last_digit).collect();
    let step = last_digit as i128;
    let digits = |ns: i128| (ns + ns.signum() * (step / 2)) / step;
    let fine: i128 = shown.iter().sum::<i128>() - coarse.iter().map(|&at| shown[at]).sum::<i128>();
    let mut left = digits(total) - digits(fine);
    for &at in &coarse {
        shown[at] = parts[at].div_euclid(step);
        left -= shown[at];
    }
    let mut by_loss = coarse.clone();
    by_loss.sort_by_key(|&at| std::cmp::Reverse(parts[at].rem_euclid(step)));
    if left < 0 {
        by_loss.reverse();
    }
    for &at in by_loss.iter().cycle().take(if by_loss.is_empty() { 0 } else { left.unsigned_abs() as usize })
    {
        shown[at] += left.signum();
    }
    coarse.into_iter().for_each(|at| shown[at] *= step);
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_have_three_significant_digits() {
        for (ns, wanted) in [
            (0, "0 ns"),
            (7, "7 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (12_345, "12.3 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (5_404_999, "5.40 ms"),
            (9_995_000, "10.0 ms"),
            (32_760_000, "32.8 ms"),
            (904_860_000, "905 ms"),
            (999_500_000, "1.00 s"),
            (59_949_999_999, "59.9 s"),
            (59_950_000_000, "1m 00s"),
            (185_500_000_000, "3m 06s"),
            (3_599_500_000_000, "1h 00m"),
            (7_380_000_000_000, "2h 03m"),
            (100 * 3_600_000_000_000, "4d 04h"),
            (u64::MAX, "213504d 00h"),
        ] {
            assert_eq!(show(ns), wanted, "{ns}");
        }
        let differences = [0, 1_500_000, -31_249, -i128::from(u64::MAX)];
        assert_eq!(differences.map(show_signed), ["0 ns", "+1.50 ms", "-31.2 µs", "-213504d 00h"]);
    }

    #[test]
    fn parts_keep_their_own_digits_and_add_up() {
        // 3.33 three times would be 9.99.
        assert_eq!(
            show_signed_parts(&[3_334_900, 3_334_900, 3_330_200]),
            ["+3.33 ms", "+3.33 ms", "+3.33 ms"]
        );
        assert_eq!(
            show_signed_parts(&[3_334_900, 3_334_900, 3_329_900]),
            ["+3.34 ms", "+3.33 ms", "+3.33 ms"]
        );
        assert_eq!(show_signed_parts(&[897_100_000, 7_759_000, 1_500]), ["+897 ms", "+7.76 ms", "+1.50 µs"]);
        assert_eq!(show_signed_parts(&[4_006_000, 1_500, -9_990]), ["+4.01 ms", "+1.50 µs", "-9.99 µs"]);
        assert_eq!(show_signed_parts(&[250_120_000, -248_890_000]), ["+250 ms", "-249 ms"]);
        assert_eq!(show_parts(&[]), [""; 0]);
        assert_eq!(show_parts(&[0, 40]), ["0 ns", "40 ns"]);
    }

    proptest! {
        #[test]
        fn shown_parts_add_up_to_the_shown_sum(
            parts in prop::collection::vec((-1i128..=1).prop_flat_map(|sign| {
                prop_oneof![0i128..2_000, 0i128..5_000_000, 0i128..90_000_000_000].prop_map(move |ns| sign * ns)
            }), 0..8)
        ) {
            let rounded = round_parts(&parts);
            let total: i128 = parts.iter().sum();
            let largest = parts.iter().chain([&total]).map(|ns| ns.unsigned_abs()).max().unwrap_or(0);
            let step = quantum(largest) as i128;
            let digits = |ns: i128| (ns + ns.signum() * (step / 2)) / step;
            // What is shown is what was rounded to.
            for (&part, &shown) in parts.iter().zip(&rounded) {
                prop_assert!((part - shown).abs() <= 2 * step, "{part} as {shown}");
                prop_assert_eq!(round(shown.unsigned_abs()), shown.unsigned_abs());
            }
            if parts.iter().any(|part| quantum(part.unsigned_abs()) == step as u128) {
                let coarse = |at: &usize| quantum(parts[*at].unsigned_abs()) == step as u128;
                let (coarse, fine): (Vec<usize>, Vec<usize>) = (0..parts.len()).partition(coarse);
                let sum = |of: &[usize]| of.iter().map(|&at| rounded[at]).sum::<i128>();
                prop_assert_eq!(sum(&coarse) / step + digits(sum(&fine)), digits(total));
            }
        }
    }
}
