//! The frame that is drawn around the current screen: the tab bar above and the footer below.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use zerver_trace::text::clean;

use crate::app::App;
use crate::draw::{Pen, width};
use crate::footer;
use crate::layout::areas;
use crate::screen::Tab;
use crate::state::{DevService, ServiceState};

/// Start of the tab bar.
const NAME: &str = " zerver ";

impl App {
    /// Draws everything into a buffer of any size.
    pub fn draw(&self, buffer: &mut Buffer) {
        let (head, body, foot) = areas(buffer.area);
        self.draw_tabs(head, buffer);
        self.screens.get(self.tab).draw(&self.shared, body, buffer);
        footer::draw(self.screens.get(self.tab), self.tab, &self.shared, foot, buffer);
        if let Some(overlay) = &self.overlay {
            overlay.draw(&self.shared, buffer.area, buffer);
        }
    }

    fn draw_tabs(&self, area: Rect, buffer: &mut Buffer) {
        let theme = &self.shared.theme;
        let mut pen = Pen::new(buffer, area, 0, theme.glyphs.ellipsis);
        pen.put(NAME, theme.strong);
        for (tab, name) in self.tabs() {
            pen.skip(1).put(&name, if tab == self.tab { theme.selected } else { theme.secondary });
        }
        if let Some(service) = &self.shared.service {
            let (text, style) = self.service(service);
            pen.until(width(&text) + 1).put(&text, style);
        }
    }

    /// Returns the tab whose label covers this column of the tab bar.
    pub(crate) fn tab_at(&self, column: u16) -> Option<Tab> {
        let mut x = NAME.len();
        let found = self.tabs().into_iter().find(|(_, name)| {
            let from = x + 1;
            x = from + name.len();
            (from..x).contains(&usize::from(column))
        });
        found.map(|(tab, _)| tab)
    }

    /// Returns the labels of the tab bar. If space is short, only the current tab shows its name.
    fn tabs(&self) -> Vec<(Tab, String)> {
        let named = |(at, tab): (usize, Tab)| (tab, format!(" {} {} ", at + 1, self.screens.get(tab).name()));
        let tabs: Vec<(Tab, String)> = Tab::ALL.into_iter().enumerate().map(named).collect();
        let service = self.shared.service.as_ref().map_or(0, |service| width(&self.service(service).0) + 2);
        let whole = NAME.len() + tabs.iter().map(|(_, name)| name.len() + 1).sum::<usize>() + service;
        if whole <= usize::from(self.shared.size.width) {
            return tabs;
        }
        let number = |(at, (tab, name))| (tab, if tab == self.tab { name } else { format!(" {} ", at + 1) });
        tabs.into_iter().enumerate().map(number).collect()
    }

    /// Returns the state of the service that `zerver dev` runs, as shown in the tab bar.
    fn service(&self, service: &DevService) -> (String, Style) {
        let theme = &self.shared.theme;
        let glyphs = theme.glyphs;
        let spinner = glyphs.spinner[service.spinner_frame % glyphs.spinner.len()];
        match &service.state {
            None => (String::new(), theme.text),
            Some(ServiceState::Building) => {
                let text = service.build_text(self.shared.now_unix_ns, glyphs.dot);
                (format!("{spinner} {text}"), theme.warn)
            }
            Some(ServiceState::Starting) => (format!("{spinner} starting"), theme.warn),
            Some(ServiceState::Serving(url)) => {
                (clean(url.strip_prefix("http://").unwrap_or(url)).into_owned(), theme.good)
            }
            Some(ServiceState::BuildFailed { is_serving: true }) => {
                (format!("{} build failed; last good build serves", glyphs.bad), theme.bad)
            }
            Some(ServiceState::BuildFailed { is_serving: false }) => {
                (format!("{} build failed", glyphs.bad), theme.bad)
            }
            Some(ServiceState::Ended(how)) => {
                (clean(&format!("{} ended: {how}", glyphs.bad)).into_owned(), theme.bad)
            }
            Some(ServiceState::Stopping) => {
                (format!("{spinner} stopping; repeat to stop at once"), theme.warn)
            }
        }
    }
}
