//! Units for the numbers of a timeline.

/// Unit that all numbers of a timeline share, so that they are easy to compare.
#[derive(Debug, Clone, Copy)]
pub struct Unit {
    /// Symbol of the unit.
    pub name: &'static str,
    /// Value of the last displayed digit, in nanoseconds.
    quantum_ns: u64,
    decimals: usize,
}

impl Unit {
    /// Returns the unit for a timeline of this total length.
    pub const fn for_total(total_ns: u64) -> Self {
        match total_ns {
            0..1_000_000 => Self { name: "µs", quantum_ns: 100, decimals: 1 },
            1_000_000..10_000_000_000 => Self { name: "ms", quantum_ns: 10_000, decimals: 2 },
            _ => Self { name: "s", quantum_ns: 1_000_000, decimals: 3 },
        }
    }

    /// Formats a time in this unit, without the symbol.
    pub fn format(self, ns: u64) -> String {
        self.format_quanta(ns.saturating_add(self.quantum_ns / 2) / self.quantum_ns)
    }

    /// Formats a number of quanta, which are units of the last displayed digit.
    pub fn format_quanta(self, quanta: u64) -> String {
        let scale = 10u64.pow(self.decimals as u32);
        format!("{}.{:0>decimals$}", quanta / scale, quanta % scale, decimals = self.decimals)
    }

    /// Formats a difference with its sign: `+1.50`, `-0.20`, `0.00`.
    pub fn format_signed(self, ns: i128) -> String {
        self.format_signed_quanta(self.round_one(ns))
    }

    /// Formats a result of [`Unit::round_signed`] with its sign.
    pub fn format_signed_quanta(self, quanta: i128) -> String {
        let sign = match quanta {
            0 => "",
            1.. => "+",
            _ => "-",
        };
        format!("{sign}{}", self.format_quanta(u64::try_from(quanta.unsigned_abs()).unwrap_or(u64::MAX)))
    }

    /// Rounds each part to quanta so that the results add up to the rounded sum, by rounding the running sums.
    pub fn round_signed(self, parts: &[i128]) -> Vec<i128> {
        let mut sum = 0;
        let up_to = |sum: &mut i128, part: &i128| {
            let before = self.round_one(*sum);
            *sum += part;
            self.round_one(*sum) - before
        };
        parts.iter().map(|part| up_to(&mut sum, part)).collect()
    }

    /// Rounds each part to quanta of a unit. Parts that would be less than one quantum of this unit get a smaller unit;
    /// the others are rounded in this unit so that they add up.
    pub fn round_signed_parts(self, parts: &[i128]) -> Vec<(Self, i128)> {
        let smaller = |ns: &i128| {
            let unit = Self::for_total(ns.unsigned_abs().try_into().unwrap_or(u64::MAX));
            let is_lost = ns.unsigned_abs() < u128::from(self.quantum_ns);
            (is_lost && unit.quantum_ns < self.quantum_ns).then_some(unit)
        };
        let own: Vec<i128> = parts.iter().map(|ns| if smaller(ns).is_some() { 0 } else { *ns }).collect();
        let rounded = self.round_signed(&own);
        let part = |(ns, quanta): (&i128, i128)| match smaller(ns) {
            Some(unit) => (unit, unit.round_one(*ns)),
            None => (self, quanta),
        };
        parts.iter().zip(rounded).map(part).collect()
    }

    /// Rounds to the nearest quantum, and halves away from zero.
    fn round_one(self, ns: i128) -> i128 {
        let quantum = i128::from(self.quantum_ns);
        (ns + ns.signum() * (quantum / 2)) / quantum
    }

    /// Rounds each part to quanta so that the results add up to the rounded sum, by rounding up the parts that lose
    /// most.
    pub fn round(self, parts: &[u64]) -> Vec<u64> {
        let sum: u64 = parts.iter().fold(0, |sum, part| sum.saturating_add(*part));
        let mut quanta: Vec<u64> = parts.iter().map(|part| part / self.quantum_ns).collect();
        let wanted = sum.saturating_add(self.quantum_ns / 2) / self.quantum_ns;
        let lack = wanted.saturating_sub(quanta.iter().sum()) as usize;
        let mut order: Vec<usize> = (0..parts.len()).collect();
        order.sort_by_key(|&at| std::cmp::Reverse(parts[at] % self.quantum_ns));
        order.into_iter().take(lack).for_each(|at| quanta[at] += 1);
        quanta
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounded_parts_add_up() {
        let unit = Unit::for_total(5_000_000);
        for parts in
            [[3_333_333u64, 3_333_333, 3_333_334], [4_999, 4_999, 4_999], [0, 0, 0], [5_000, 0, 15_000]]
        {
            let sum: u64 = parts.iter().sum();
            assert_eq!(unit.round(&parts).iter().sum::<u64>(), (sum + 5_000) / 10_000, "{parts:?}");
        }
        let signed = [-4_999, 4_999, 4_999, -20_001, 14_999];
        assert_eq!(unit.round_signed(&signed).iter().sum::<i128>(), 0);
        assert_eq!(unit.round_signed(&[-5_000, 250_000_000]), [-1, 25_001]);
        assert_eq!([-14_999, 0, 15_000].map(|ns| unit.format_signed(ns)), ["-0.01", "0.00", "+0.02"]);
        assert_eq!(Unit::for_total(1).format(149), "0.1");
        let shown = |parts: &[i128]| -> Vec<String> {
            let parts = unit.round_signed_parts(parts).into_iter();
            parts
                .map(|(unit, quanta)| format!("{} {}", unit.format_signed_quanta(quanta), unit.name))
                .collect()
        };
        // The small parts are shown exactly, and are not the rounding errors of the others.
        assert_eq!(shown(&[4_006_000, 1_500, -9_990]), ["+4.01 ms", "+1.5 µs", "-10.0 µs"]);
        assert_eq!(shown(&[2_004_000, 2_004_000, 40, 0]), ["+2.00 ms", "+2.01 ms", "0.0 µs", "0.0 µs"]);
        assert_eq!(Unit::for_total(10_000_000_000).format(u64::MAX / 4), "4611686018.427");
    }
}
