//! The frame of a page: head, navigation, help.

use maud::{DOCTYPE, Markup, html};
use zerver_trace::RequestId;

use super::keys::{KEYS, KeyScope};
use crate::url;

/// Page in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    Requests,
    Request,
    Flows,
    HeatMap,
    Sql,
    Scheduler,
    Catalog,
    /// Not in the navigation.
    Other,
}

/// Pages of the navigation, with their keys.
const TABS: [(Tab, &str, &str, &str); 6] = [
    (Tab::Requests, "/", "Requests", "1"),
    (Tab::Flows, "/flows", "Flows", "5"),
    (Tab::HeatMap, "/heat", "Heat map", "6"),
    (Tab::Sql, "/sql", "SQL", "7"),
    (Tab::Scheduler, "/scheduler", "Scheduler", "8"),
    (Tab::Catalog, "/catalog", "Catalog", "9"),
];

/// Pages of a request, with their keys.
const REQUEST_TABS: [(&str, &str, &str); 6] = [
    ("", "Timeline", "2"),
    ("slots", "Slots over time", "t"),
    ("why", "Why", "w"),
    ("value", "Sources of values", "o"),
    ("replay", "Replay", "r"),
    ("compare", "Compare", "3"),
];

/// The frame of a page.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) title: String,
    pub(crate) tab: Tab,
    /// The request of the page, and which of its pages this is.
    pub(crate) request: Option<(RequestId, &'static str)>,
    /// Query that the pages share.
    pub(crate) query: String,
    /// Reason why the page may lack something.
    pub(crate) damage: Option<String>,
}

impl Frame {
    pub(crate) fn new(tab: Tab, title: impl Into<String>) -> Self {
        Self { title: title.into(), tab, request: None, query: String::new(), damage: None }
    }

    pub(crate) fn with_query(self, query: &str) -> Self {
        Self { query: query.to_owned(), ..self }
    }

    pub(crate) fn of_request(self, id: RequestId, page: &'static str) -> Self {
        Self { request: Some((id, page)), ..self }
    }

    /// Puts a page into the frame.
    pub(crate) fn around(&self, content: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · zerver" }
                    link rel="icon" href="data:,";
                    link rel="stylesheet" href="/style.css";
                    script src="/app.js" defer {}
                }
                body {
                    a.skip href="#main" { "Skip to the content" }
                    header.top { (self.navigation()) }
                    main #main tabindex="-1" {
                        @if let Some(damage) = &self.damage {
                            p.notice.bad role="alert" { "Some requests could not be read: " (super::safe(damage)) }
                        }
                        (content)
                    }
                    p #announcement.visually-hidden role="status" aria-live="polite" {}
                    (help())
                }
            }
        }
    }

    fn navigation(&self) -> Markup {
        html! {
            nav aria-label="Pages" {
                a.brand href="/" aria-label="zerver: requests" { "zerver" }
                ul {
                    @for (tab, path, name, key) in TABS {
                        li {
                            a href=(url::link(path, &[("q", &self.query)])) data-key=(key)
                                aria-current=[(tab == self.tab).then_some("page")] { (name) }
                        }
                    }
                    li.end { a #help-link href="/keys" aria-keyshortcuts="?" { "Keys " kbd { "?" } } }
                }
            }
            @if let Some((id, current)) = self.request {
                nav.request-pages aria-label="Pages of this request" {
                    ul {
                        @for (page, name, key) in REQUEST_TABS {
                            li {
                                a href=(url::request(id, page)) data-key=(key)
                                    aria-current=[(page == current).then_some("page")] { (name) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn help() -> Markup {
    html! {
        dialog #help aria-labelledby="help-title" {
            h2 #help-title { "Keys" }
            (key_tables())
            form method="dialog" { button { "Close" } }
        }
    }
}

/// Returns the tables of keys.
pub(crate) fn key_tables() -> Markup {
    let scopes = [
        (KeyScope::Everywhere, "Everywhere"),
        (KeyScope::Requests, "In the list of requests"),
        (KeyScope::Request, "On the pages of a request"),
    ];
    html! {
        div.key-tables {
            @for (scope, name) in scopes {
                table.keys {
                    caption { (name) }
                    thead.visually-hidden { tr { th scope="col" { "Key" } th scope="col" { "Action" } } }
                    tbody {
                        @for (keys, _, what) in KEYS.iter().filter(|(_, of, _)| *of == scope) {
                            tr {
                                th scope="row" { @for key in keys.split(' ') { kbd { (key) } " " } }
                                td { (what) }
                            }
                        }
                    }
                }
            }
        }
    }
}
