//! Areas of the flows screen.

use ratatui::layout::Rect;

use crate::draw::{VerticalSplit, split_columns};

/// Width from which the list is beside the graph.
const WIDE: u16 = 120;

/// Areas of the screen.
pub(super) struct Areas {
    pub(super) list_title: Rect,
    /// Names of the columns.
    pub(super) list_head: Rect,
    pub(super) list: Rect,
    pub(super) scheduler_title: Rect,
    pub(super) scheduler: Rect,
    pub(super) wall: Rect,
    pub(super) steps_title: Rect,
    pub(super) steps: Rect,
}

/// Computes the areas for `flows` flows and `scheduler_lines` lines about the scheduler.
pub(super) fn areas(area: Rect, flows: usize, scheduler_lines: usize) -> Areas {
    let mut stack = VerticalSplit::new(area);
    if area.width >= WIDE {
        let (titles, body) = (stack.take(1), stack.take(usize::MAX));
        let left = area.width / 2;
        let ((list_title, _, steps_title), (list, wall, steps)) =
            (split_columns(titles, left), split_columns(body, left));
        // The scheduler is below the list, which is rarely long.
        let mut stack = VerticalSplit::new(list);
        let list_head = stack.take(1);
        let list =
            stack.take(stack.remaining().saturating_sub(scheduler_lines + 1).max(stack.remaining() / 2));
        let (scheduler_title, scheduler) = (stack.take(1), stack.take(scheduler_lines));
        return Areas { list_title, list_head, list, scheduler_title, scheduler, wall, steps_title, steps };
    }
    let fifth = (stack.remaining() / 5).max(1);
    let len = flows.clamp(1, stack.remaining() / 3 + 1);
    let (list_title, list_head, list) = (stack.take(1), stack.take(1), stack.take(len));
    let (scheduler_title, scheduler) = (stack.take(1), stack.take(scheduler_lines.min(fifth + 2)));
    let (steps_title, steps) = (stack.take(1), stack.take(usize::MAX));
    let wall = Rect::default();
    Areas { list_title, list_head, list, scheduler_title, scheduler, wall, steps_title, steps }
}
