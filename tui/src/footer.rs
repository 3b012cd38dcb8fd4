//! The footer: the notice if there is one, else the keys that have an effect in the current state.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::draw::Pen;
use crate::keys::{self, KeyBinding};
use crate::screen::{Screen, Tab, is_available};
use crate::state::{NoticeKind, SharedState};

/// Columns between two keys.
const GAP: usize = 2;

pub(crate) fn draw(screen: &dyn Screen, tab: Tab, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let mut pen = Pen::new(buffer, area, 0, theme.glyphs.ellipsis);
    pen.skip(1);
    if let Some(notice) = &shared.notice {
        let style = match notice.kind {
            NoticeKind::Confirmation => theme.good,
            NoticeKind::Hint => theme.info,
            NoticeKind::Error => theme.bad,
        };
        pen.recorded(&notice.text, style);
        return;
    }
    if let Some(hints) = screen.text_hints() {
        for (name, hint) in hints {
            pen.put(name, theme.key).skip(1).put(hint, theme.secondary).skip(GAP);
        }
        return;
    }
    let hints = |tables: Vec<&'static [KeyBinding]>| -> Vec<(String, &'static str)> {
        let keys = tables.into_iter().flatten().filter(|key| is_available(screen, shared, key.action));
        keys.filter_map(|key| Some((shared.key_map.presses(Some(tab), key).first()?.name(), key.hint?)))
            .collect()
    };
    // The keys for help and quitting always fit; as many others come before them as there is room for.
    let last = hints(vec![keys::EVERYWHERE]);
    let wide = |(name, hint): &(String, &str)| name.len() + 1 + hint.len() + GAP;
    let reserved = last.iter().map(wide).sum::<usize>();
    let mut room = (pen.room() + GAP).saturating_sub(reserved);
    let mut fits = |hint: &(String, &str)| {
        let left = room.checked_sub(wide(hint));
        room = left.unwrap_or(0);
        left.is_some()
    };
    let own = hints(screen.keys(shared));
    for (name, hint) in own.into_iter().take_while(|hint| fits(hint)).chain(last) {
        if pen.room() < name.len() + hint.len() + 1 {
            break;
        }
        pen.put(&name, theme.key).skip(1).put(hint, theme.secondary).skip(GAP);
    }
}
