//! The plan of a drill: decides for each call which faults it gets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use smallvec::SmallVec;
use zerver_trace::Name;

use super::rule::{ChaosFault, ChaosRule};
use crate::{Call, Random};

/// Distance of the seeds of two rules. It is odd and has as many ones as zeros, so that their numbers do not coincide.
const RULE_DISTANCE: u64 = 0xd1b5_4a32_d192_ed03;

/// The rules of a drill, and the calls that they have matched so far. All threads share it.
///
/// Each rule counts the calls that it matches, and the seed decides which of these numbers are hit. So the same seed and
/// the same order of calls give the same faults, and a further rule changes nothing about those of the others.
#[derive(Debug)]
pub struct Chaos {
    seed: u64,
    rules: Vec<CountedRule>,
}

#[derive(Debug)]
struct CountedRule {
    rule: ChaosRule,
    random: Random,
    /// Number of calls that it has matched.
    matched: AtomicU64,
    /// Number of faults that it has injected.
    injected: AtomicU64,
}

/// Faults for one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injection {
    /// Time by which the call is delayed: the sum of all latencies.
    pub latency: Duration,
    /// Fault instead of the call, after the latency, and the rule that injects it: the first one. `None` if the call is made.
    pub fault: Option<(ChaosFault, Name)>,
    /// All rules that inject something, in their order.
    pub rules: SmallVec<[Name; 1]>,
}

impl Chaos {
    /// Creates the plan of a drill.
    pub fn new(rules: impl IntoIterator<Item = ChaosRule>, seed: u64) -> Self {
        let counted = |(at, rule): (u64, ChaosRule)| CountedRule {
            rule,
            random: Random { seed: seed ^ at.wrapping_mul(RULE_DISTANCE) },
            matched: AtomicU64::default(),
            injected: AtomicU64::default(),
        };
        Self { seed, rules: (0..).zip(rules).map(counted).collect() }
    }

    /// Returns the seed.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the rules, each with the number of faults that it has injected.
    pub fn rules(&self) -> impl Iterator<Item = (&ChaosRule, u64)> {
        self.rules.iter().map(|counted| (&counted.rule, counted.injected.load(Ordering::Relaxed)))
    }

    /// Decides about a call that is about to be made. Returns `None` if nothing is injected.
    pub fn decide(&self, call: &Call) -> Option<Injection> {
        let mut injection: Option<Injection> = None;
        for counted in &self.rules {
            // Counted even if a rule before it has hit the call, so that the rules do not influence each other.
            if !counted.rule.matches(call) || !counted.is_hit() {
                continue;
            }
            let fault = counted.rule.fault;
            let so_far = injection.get_or_insert_with(Injection::nothing);
            match fault {
                ChaosFault::Latency(latency) => so_far.latency = so_far.latency.saturating_add(latency),
                fault if so_far.fault.is_none() => so_far.fault = Some((fault, counted.rule.name())),
                _ => continue,
            }
            so_far.rules.push(counted.rule.name());
            counted.injected.fetch_add(1, Ordering::Relaxed);
        }
        injection
    }
}

impl CountedRule {
    /// Counts a call, and returns true if it gets the fault.
    fn is_hit(&self) -> bool {
        let number = self.matched.fetch_add(1, Ordering::Relaxed);
        // 53 bits are a float exactly, so that a share of 1 hits every call.
        let fraction = (self.random.u64(number) >> 11) as f64 / (1_u64 << 53) as f64;
        fraction < self.rule.share
    }
}

impl Injection {
    fn nothing() -> Self {
        Self { latency: Duration::ZERO, fault: None, rules: SmallVec::new() }
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use zerver_trace::EffectErrorKind;

    use super::*;
    use crate::EffectKind;

    #[derive(Serialize, Deserialize)]
    struct Fetch(String);

    impl EffectKind for Fetch {
        const KIND: &'static str = "fetch";
        type Output = ();

        fn summary(&self) -> String {
            format!("GET {}", self.0)
        }

        fn target(&self) -> Option<std::borrow::Cow<'_, str>> {
            self.0.split_once('/').map(|(host, _)| host.into())
        }
    }

    fn fetch(url: &str) -> Call {
        Call::new(Fetch(url.to_owned()))
    }

    fn chaos(rules: &[&str], seed: u64) -> Chaos {
        Chaos::new(rules.iter().map(|rule| rule.parse().unwrap()), seed)
    }

    /// Returns which of this many calls are hit.
    fn hits(chaos: &Chaos, calls: usize) -> Vec<bool> {
        (0..calls).map(|_| chaos.decide(&fetch("a/b")).is_some()).collect()
    }

    #[test]
    fn a_rule_selects_calls_by_kind_summary_and_target() {
        let check = |rule: &str, url: &str, expected: bool| {
            let found = chaos(&[rule], 1).decide(&fetch(url));
            assert_eq!(found.is_some(), expected, "{rule} {url}");
        };
        check("fetch=timeout:100%", "a/b", true);
        check("..=timeout:100%", "a/b", true);
        check("http=timeout:100%", "a/b", false);
        check("fetch GET a/..=timeout:100%", "a/b", true);
        check("fetch GET b/..=timeout:100%", "a/b", false);
        check("fetch @a=timeout:100%", "a/b", true);
        check("fetch @a..=timeout:100%", "b/c", false);
        check("fetch @..=timeout:100%", "no target", false);
        check("fetch GET a/b @b=timeout:100%", "a/b", false);
    }

    #[test]
    fn the_same_seed_and_the_same_calls_give_the_same_faults() {
        let rules = ["fetch=timeout:30%"];
        let first = hits(&chaos(&rules, 7), 200);
        assert_eq!(hits(&chaos(&rules, 7), 200), first);
        assert_ne!(hits(&chaos(&rules, 8), 200), first);
        let share = first.iter().filter(|is_hit| **is_hit).count();
        assert!((40..=80).contains(&share), "{share} of 200");
    }

    #[test]
    fn rules_do_not_influence_each_other() {
        let fault_of = |chaos: &Chaos| {
            let all = (0..100).map(|_| chaos.decide(&fetch("a/b")));
            let is_timeout = |it: Injection| matches!(it.fault, Some((ChaosFault::Timeout, _)));
            all.map(|injection| injection.is_some_and(is_timeout)).collect::<Vec<_>>()
        };
        let alone = fault_of(&chaos(&["fetch=timeout:30%"], 7));
        let first_of_two = chaos(&["fetch=timeout:30%", "fetch=unreachable:50%"], 7);
        assert_eq!(fault_of(&first_of_two), alone);
        let counts: Vec<_> = first_of_two.rules().map(|(_, injected)| injected).collect();
        let timeouts = alone.iter().filter(|is_hit| **is_hit).count() as u64;
        // The second rule decides only about what the first one leaves.
        assert!(counts[0] == timeouts && (1..=70).contains(&counts[1]), "{counts:?}");
    }

    #[test]
    fn latencies_add_up_and_the_first_fault_counts() {
        let rules = [
            "fetch=latency:100ms:100%",
            "fetch=unreachable:100%",
            "fetch=timeout:100%",
            "fetch=latency:20ms:100%",
        ];
        let injection = chaos(&rules, 0).decide(&fetch("a/b")).unwrap();
        assert_eq!(injection.latency, Duration::from_millis(120));
        let unreachable = ChaosFault::Error(EffectErrorKind::Unreachable);
        assert_eq!(injection.fault, Some((unreachable, Name::from(rules[1]))));
        assert_eq!(*injection.rules, [rules[0], rules[1], rules[3]].map(Name::from));
    }

    proptest::proptest! {
        #[test]
        fn a_share_of_100_percent_hits_every_call(seed: u64) {
            proptest::prop_assert!(hits(&chaos(&["fetch=timeout:100%"], seed), 50).iter().all(|is_hit| *is_hit));
        }
    }
}
