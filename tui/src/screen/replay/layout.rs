//! Areas of the replay screen.

use ratatui::layout::Rect;

use crate::draw::{VerticalSplit, split_columns};

/// Width from which what can be edited and the result are beside each other.
const WIDE: u16 = 150;
/// Minimum height of the responses, if there is room.
const MIN_RESPONSE: usize = 4;

/// Areas of the screen.
pub(super) struct Areas {
    pub(super) head: Rect,
    pub(super) verdict: Rect,
    pub(super) items_title: Rect,
    pub(super) items: Rect,
    pub(super) findings_title: Rect,
    pub(super) findings: Rect,
    pub(super) finding: Rect,
    pub(super) response_title: Rect,
    pub(super) response: Rect,
    pub(super) prompt: Rect,
    /// Line between two columns of a wide screen.
    pub(super) wall: Option<Rect>,
}

/// Contents that determine the layout.
pub(super) struct Contents {
    /// Number of editable items.
    pub(super) items: usize,
    /// Number of findings.
    pub(super) findings: usize,
    /// True if a prompt is open.
    pub(super) is_typing: bool,
    /// True if the replay reports how the request would have ended.
    pub(super) has_ended: bool,
    /// True if the selected finding is shown in full.
    pub(super) has_finding: bool,
}

pub(super) fn areas(area: Rect, contents: &Contents) -> Areas {
    let Contents { items, findings, is_typing, has_ended, has_finding } = *contents;
    let typed = if is_typing { 2 } else { 0 };
    let mut stack = VerticalSplit::new(area);
    let (head, verdict) = (stack.take(1), stack.take(if has_ended { 2 } else { 1 }));
    if area.width >= WIDE {
        // What can be edited is beside the result.
        let whole = stack.take(stack.remaining().saturating_sub(typed));
        let prompt = stack.take(typed);
        let (left, wall, right) = split_columns(whole, whole.width * 2 / 5);
        let mut left = VerticalSplit::new(left);
        let (items_title, items) = (left.take(1), left.take(left.remaining()));
        let mut right = VerticalSplit::new(right);
        let findings_title = right.take(1);
        let rest = right.remaining().saturating_sub(1 + if has_finding { 3 } else { 0 });
        let findings = right.take(findings.clamp(1, (rest / 2).max(1)));
        let finding = right.take(if has_finding { 3 } else { 0 });
        let response_title = right.take(1);
        let response = right.take(right.remaining());
        return Areas {
            head,
            verdict,
            items_title,
            items,
            findings_title,
            findings,
            finding,
            response_title,
            response,
            prompt,
            wall: Some(wall),
        };
    }
    // Three rows are for titles.
    let left = stack.remaining().saturating_sub(typed + 3);
    let items = items.clamp(1, (left / 2).max(1));
    let findings = findings.clamp(1, left.saturating_sub(items + MIN_RESPONSE).max(2));
    let (items_title, items) = (stack.take(1), stack.take(items));
    let (findings_title, findings) = (stack.take(1), stack.take(findings));
    // The selected finding is shown in full while the findings have the focus.
    let finding = stack.take(if has_finding { 3 } else { 0 });
    let response_title = stack.take(1);
    let response = stack.take(stack.remaining().saturating_sub(typed));
    let prompt = stack.take(typed);
    Areas {
        head,
        verdict,
        items_title,
        items,
        findings_title,
        findings,
        finding,
        response_title,
        response,
        prompt,
        wall: None,
    }
}
