//! Run delay: the time for which a thread could run, but the system runs others. It lengthens a step through no fault of
//! the step. Time for which the thread blocks is not included, because the step causes that. `platform` measures it.

/// Subtracts the run delay from the duration of a step, given the run delay of its thread before and after the step.
pub(super) fn without_run_delay_ns(took_ns: u64, before_ns: Option<u64>, after_ns: Option<u64>) -> u64 {
    let run_delay_ns = before_ns.zip(after_ns).map_or(0, |(before, after)| after.saturating_sub(before));
    took_ns.saturating_sub(run_delay_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_delay_is_not_charged_to_a_step() {
        assert_eq!(without_run_delay_ns(10, Some(100), Some(107)), 3);
        assert_eq!(without_run_delay_ns(10, None, Some(107)), 10, "an unknown delay is not subtracted");
        assert_eq!(without_run_delay_ns(10, Some(100), None), 10);
        assert_eq!(without_run_delay_ns(10, Some(100), Some(200)), 0, "part of the delay preceded the step");
    }
}
