//! Points between the steps of shipping, at which a test ends the process as `kill -9` does. In a program they are nothing.

#[cfg(test)]
pub(crate) use self::armed::{arm, reached};

/// Marks the point between two steps.
#[cfg(not(test))]
#[inline]
pub(crate) const fn reached(_step: &str) {}

#[cfg(test)]
mod armed {
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    /// Number of points that the process passes before it ends.
    static LEFT: AtomicU64 = AtomicU64::new(u64::MAX);

    /// Has the process end at a point, after it has passed this many.
    pub(crate) fn arm(points: u64) {
        LEFT.store(points, Ordering::SeqCst);
    }

    pub(crate) fn reached(step: &str) {
        let left = LEFT.load(Ordering::SeqCst);
        if left == u64::MAX {
            return;
        }
        if left == 0 {
            #[expect(clippy::print_stdout, reason = "read by the parent")]
            {
                println!("killed {step}");
            }
            kill_process(getpid(), Signal::KILL).unwrap();
        }
        LEFT.store(left.saturating_sub(1), Ordering::SeqCst);
    }
}
