//! Which requests were seen, and whether any was seen twice.

use std::collections::BTreeMap;

use crate::traffic::Request;

/// A set of requests: a bit for each number of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pods: BTreeMap<u16, Vec<u64>>,
    count: u64,
    twice: u64,
}

impl Seen {
    /// Adds a request. Returns true if it is new.
    pub(crate) fn add(&mut self, request: Request) -> bool {
        let bits = self.pods.entry(request.pod).or_default();
        let (word, bit) = (request.n as usize / 64, 1_u64 << (request.n % 64));
        if bits.len() <= word {
            bits.resize(word + 1, 0);
        }
        let is_new = bits[word] & bit == 0;
        bits[word] |= bit;
        self.count += u64::from(is_new);
        self.twice += u64::from(!is_new);
        is_new
    }

    /// Returns the number of different requests.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// Returns the number of requests that were added again.
    pub(crate) const fn twice(&self) -> u64 {
        self.twice
    }

    /// Returns true if it has a request of a pod.
    pub(crate) fn contains(&self, pod: u16, n: u32) -> bool {
        let bits = self.pods.get(&pod).and_then(|bits| bits.get(n as usize / 64));
        bits.is_some_and(|bits| bits & 1 << (n % 64) != 0)
    }

    /// Returns the number of requests of a pod, and the number after the highest of them.
    pub(crate) fn of_pod(&self, pod: u16) -> (u64, u32) {
        let bits = self.pods.get(&pod).map(Vec::as_slice).unwrap_or_default();
        let count = bits.iter().map(|word| u64::from(word.count_ones())).sum();
        let last = bits.iter().rposition(|word| *word != 0);
        (count, last.map_or(0, |word| word as u32 * 64 + 64 - bits[word].leading_zeros()))
    }

    /// Returns the number of requests that are here and not in another set.
    pub(crate) fn without(&self, other: &Self) -> u64 {
        let of_pod = |(pod, bits): (&u16, &Vec<u64>)| {
            let others = other.pods.get(pod).map(Vec::as_slice).unwrap_or_default();
            let word =
                |(at, word): (usize, &u64)| u64::from((word & !others.get(at).unwrap_or(&0)).count_ones());
            bits.iter().enumerate().map(word).sum::<u64>()
        };
        self.pods.iter().map(of_pod).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::Era;

    #[test]
    fn what_is_seen_twice_and_what_is_missing_are_counted() {
        let request = |pod, n| Request { pod, n, era: Era::Old, ms: 0 };
        let (mut one, mut other) = (Seen::default(), Seen::default());
        assert!(one.add(request(1, 0)) && one.add(request(1, 200)) && one.add(request(2, 63)));
        assert!(!one.add(request(1, 200)));
        assert_eq!((one.count(), one.twice(), one.of_pod(1)), (3, 1, (2, 201)));
        assert_eq!((one.of_pod(2), one.of_pod(3)), ((1, 64), (0, 0)));
        assert!(one.contains(2, 63) && !one.contains(2, 62) && !one.contains(9, 0));
        other.add(request(1, 200));
        assert_eq!((one.without(&other), other.without(&one)), (2, 0));
    }
}
