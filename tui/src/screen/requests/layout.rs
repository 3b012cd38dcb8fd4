//! Areas of the request list.

use ratatui::layout::Rect;

/// Width from which the selected request is shown beside the list.
const PREVIEW_WIDTH: u16 = 150;
/// Height from which more than the list is shown.
const MIN_HEIGHT: u16 = 10;

/// Areas of the screen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Areas {
    pub(super) metrics: Rect,
    pub(super) load: Rect,
    pub(super) check: Rect,
    pub(super) filter: Rect,
    pub(super) headings: Rect,
    pub(super) rows: Rect,
    pub(super) preview: Option<Rect>,
    pub(super) log: Option<Rect>,
}

/// Optional parts around the list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contents {
    pub(super) has_load: bool,
    /// True if requests were replayed with new code.
    pub(super) has_check: bool,
    pub(super) is_filtered: bool,
    pub(super) has_log: bool,
}

pub(super) fn areas(area: Rect, contents: Contents) -> Areas {
    let mut rest = area;
    let top = |height: u16, rest: &mut Rect| {
        let height = height.min(rest.height);
        let taken = Rect { height, ..*rest };
        (rest.y, rest.height) = (rest.y + height, rest.height - height);
        taken
    };
    let metrics = top(u16::from(area.height >= MIN_HEIGHT), &mut rest);
    let load = top(u16::from(contents.has_load && area.height >= MIN_HEIGHT), &mut rest);
    let check = top(u16::from(contents.has_check && area.height >= MIN_HEIGHT), &mut rest);
    let filter = top(u16::from(contents.is_filtered), &mut rest);
    let log = (contents.has_log && area.height >= MIN_HEIGHT).then(|| {
        let height = rest.height / 2;
        rest.height -= height;
        Rect { y: rest.bottom(), height, ..rest }
    });
    let preview = (area.width >= PREVIEW_WIDTH).then(|| {
        let width = area.width * 2 / 5;
        rest.width -= width;
        Rect { x: rest.right(), width, ..rest }
    });
    let headings = top(1, &mut rest);
    Areas { metrics, load, check, filter, headings, rows: rest, preview, log }
}
