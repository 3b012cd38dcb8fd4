//! Steps through a request, forwards and backwards. Steps of the flow are functions, and their effects are what they call.

use zerver_analysis::RowSubject;

use crate::request::loaded::LoadedRequest;

/// A way to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Movement {
    /// To the next breakpoint, or the end.
    Continue,
    /// To the previous breakpoint, or the beginning.
    ReverseContinue,
    /// To the next step, or the next effect from an effect.
    Next,
    /// To the next row.
    StepIn,
    /// From an effect to the next step; from a step to the end.
    StepOut,
    /// Like [`Movement::Next`], backwards.
    StepBack,
}

/// End of a movement.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) row: usize,
    /// True if a breakpoint has ended it.
    pub(crate) is_hit: bool,
}

impl Movement {
    /// Moves from a row. `is_hit` says whether a breakpoint is at a row.
    pub(crate) fn from(self, request: &LoadedRequest, row: usize, is_hit: &dyn Fn(usize) -> bool) -> Arrival {
        let last = request.last();
        let is_step = |at: &usize| !matches!(request.subject(*at), RowSubject::Effect(..));
        let next_step = || (row + 1..=last).find(is_step).unwrap_or(last);
        let is_effect = matches!(request.subject(row), RowSubject::Effect(..));
        let target = match self {
            Self::Continue => last,
            Self::ReverseContinue => 0,
            Self::StepIn => (row + 1).min(last),
            Self::Next if is_effect => (row + 1).min(last),
            Self::Next => next_step(),
            Self::StepOut if is_effect => next_step(),
            Self::StepOut => last,
            Self::StepBack if is_effect => row.saturating_sub(1),
            Self::StepBack => (0..row).rev().find(is_step).unwrap_or(0),
        };
        let stop = match target >= row {
            true => (row + 1..=target).find(|at| is_hit(*at)),
            false => (target..row).rev().find(|at| is_hit(*at)),
        };
        Arrival { row: stop.unwrap_or(target), is_hit: stop.is_some() }
    }
}

#[cfg(test)]
mod tests {
    use zerver_testkit::sample;

    use super::*;

    /// Rows of the sample: the request, runs with their effects, the response.
    fn sequence(movement: Movement, from: usize, hits: &[usize]) -> Vec<usize> {
        let request = LoadedRequest::new(sample::slow());
        let mut rows = vec![from];
        loop {
            let at = rows[rows.len() - 1];
            let to = movement.from(&request, at, &|row| hits.contains(&row)).row;
            if to == at {
                return rows;
            }
            rows.push(to);
        }
    }

    #[test]
    fn each_way_forwards_has_its_way_back() {
        let request = LoadedRequest::new(sample::slow());
        let last = request.last();
        let all: Vec<usize> = (0..=last).collect();
        assert_eq!(sequence(Movement::StepIn, 0, &[]), all);
        let steps = sequence(Movement::Next, 0, &[]);
        assert!(steps.len() < all.len(), "effects are stepped over");
        let mut back = sequence(Movement::StepBack, last, &[]);
        back.reverse();
        assert_eq!(back, steps);
        assert_eq!(sequence(Movement::Continue, 0, &[2, 4]), [0, 2, 4, last]);
        assert_eq!(sequence(Movement::ReverseContinue, last, &[2, 4]), [last, 4, 2, 0]);
    }

    #[test]
    fn effects_are_left_and_breakpoints_in_them_are_not_missed() {
        let request = LoadedRequest::new(sample::slow());
        let is_effect = |row: &usize| matches!(request.subject(*row), RowSubject::Effect(..));
        let effect = (0..request.last()).find(is_effect).unwrap();
        let none = |_| false;
        let out = Movement::StepOut.from(&request, effect, &none);
        assert!(out.row > effect && !is_effect(&out.row));
        assert_eq!(Movement::StepOut.from(&request, effect - 1, &none).row, request.last());
        let hit = Movement::Next.from(&request, effect - 1, &|row| row == effect);
        assert_eq!(hit, Arrival { row: effect, is_hit: true });
    }
}
