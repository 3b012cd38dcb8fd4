//! Replays of the newest requests after a rebuild.

use zerver_trace::RequestId;

/// Progress of the replays after a rebuild; only in `zerver dev`.
#[derive(Debug, Default)]
pub(crate) struct ReplayCheck {
    /// Number of checks so far.
    pub(crate) number: u64,
    /// True once a build has served, so that a newer one can be compared with it.
    pub(crate) has_served: bool,
    /// True if the current build is not checked yet.
    pub(crate) is_due: bool,
    /// Number of requests to replay.
    requests: usize,
    /// Number of requests that were replayed.
    replayed: usize,
    /// Number of requests that cannot be replayed.
    refused: usize,
    /// Requests whose outcome changed.
    pub(crate) changed: Vec<RequestId>,
}

impl ReplayCheck {
    /// Starts another check, of this many requests. Returns its number.
    pub(crate) fn start(&mut self, requests: usize) -> u64 {
        self.number += 1;
        (self.requests, self.replayed, self.refused) = (requests, 0, 0);
        self.changed.clear();
        self.number
    }

    /// Records the result for a request: true if its outcome changed, or `None` if it cannot be replayed.
    pub(crate) fn record(&mut self, id: RequestId, is_changed: Option<bool>) {
        match is_changed {
            Some(is_changed) => {
                self.replayed += 1;
                self.changed.extend(is_changed.then_some(id));
            }
            None => self.refused += 1,
        }
    }

    /// Returns the result in words, `3 of 20 differ with the new code`; `None` before there is any.
    pub(crate) fn sentence(&self) -> Option<String> {
        let done = self.replayed + self.refused;
        if done == 0 {
            return None;
        }
        let verb = if self.changed.len() == 1 { "differs" } else { "differ" };
        let number = match self.changed.len() {
            0 => "none".to_owned(),
            changed => changed.to_string(),
        };
        let mut text = format!("{number} of {} {verb} with the new code", self.replayed);
        if self.refused > 0 {
            text += &format!("; {} cannot be replayed", self.refused);
        }
        if done < self.requests {
            text += &format!("; {} to go", self.requests - done);
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_is_a_sentence() {
        let mut check = ReplayCheck::default();
        assert_eq!(check.sentence(), None);
        assert_eq!(check.start(4), 1);
        assert_eq!(check.sentence(), None);
        let seen: Vec<String> = [Some(false), Some(true), None, Some(true)]
            .into_iter()
            .enumerate()
            .filter_map(|(n, is_changed)| {
                check.record(RequestId::from_u128(n as u128), is_changed);
                check.sentence()
            })
            .collect();
        assert_eq!(
            seen,
            [
                "none of 1 differ with the new code; 3 to go",
                "1 of 2 differs with the new code; 2 to go",
                "1 of 2 differs with the new code; 1 cannot be replayed; 1 to go",
                "2 of 3 differ with the new code; 1 cannot be replayed",
            ]
        );
        check.start(2);
        assert_eq!((check.sentence(), check.changed.len()), (None, 0));
    }
}
