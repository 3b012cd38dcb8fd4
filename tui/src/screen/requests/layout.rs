//! Where the parts of the list are.

use ratatui::layout::Rect;

/// Beside a list in a terminal of this width, the chosen request is shown.
const WIDE: u16 = 150;
/// In a terminal of fewer rows, only the list is shown.
const LOW: u16 = 10;

/// What is where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Areas {
    pub(super) measures: Rect,
    pub(super) load: Rect,
    pub(super) filter: Rect,
    pub(super) heads: Rect,
    pub(super) rows: Rect,
    pub(super) preview: Option<Rect>,
    pub(super) log: Option<Rect>,
}

/// What is shown beside the list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contents {
    pub(super) has_load: bool,
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
    let measures = top(u16::from(area.height >= LOW), &mut rest);
    let load = top(u16::from(contents.has_load && area.height >= LOW), &mut rest);
    let filter = top(u16::from(contents.is_filtered), &mut rest);
    let log = (contents.has_log && area.height >= LOW).then(|| {
        let height = rest.height / 2;
        rest.height -= height;
        Rect { y: rest.bottom(), height, ..rest }
    });
    let preview = (area.width >= WIDE).then(|| {
        let width = area.width * 2 / 5;
        rest.width -= width;
        Rect { x: rest.right(), width, ..rest }
    });
    let heads = top(1, &mut rest);
    Areas { measures, load, filter, heads, rows: rest, preview, log }
}
