//! A week of fifty nodes, as small as a test may be. It takes longest, and begins first because of its name.

use zerver_fleet_week::{WeekOptions, run};

/// The week has 139 million requests divided by this.
const SCALE: u32 = 2_000;

#[test]
fn everything_that_fifty_nodes_acknowledge_in_a_week_of_faults_is_there_once() {
    let options = WeekOptions::new(SCALE);
    let outcome = run(&options).unwrap_or_else(|error| panic!("{error}"));
    assert!(outcome.findings.is_empty(), "{:#?}", outcome.findings);
    assert!(outcome.faults.len() >= 10, "{:?}", outcome.faults);
    // Whether it had shipped everything before depends on the machine, so that `lost_at_end` may be 0.
    assert!(outcome.faults.contains_key("a pod was lost with its disk"), "{:?}", outcome.faults);
    for place in &outcome.places {
        let counts = place.counts;
        // Every fault left its mark.
        assert!(counts.recorded > u64::from(139_000_000 / options.scale), "{place:?}");
        assert!(counts.unshipped > 0 && counts.missing > 0, "{place:?}");
        assert!(place.cut > 0 && place.expired > 0 && place.followed > 0, "{place:?}");
    }
}
