//! Loads what a page shows, and has its view render it. Only `act` does anything else than read.

mod analysis;
mod flows;
mod page_error;
mod replay;
mod request;
mod requests;
mod service;
mod state;
mod value;

use http::StatusCode;
use maud::Markup;

use crate::page::message_page;
use crate::reply::Reply;
use crate::url::Params;

use page_error::PageError;
pub(crate) use state::WebState;

/// Returns the page at a path.
pub(crate) fn show(state: &WebState, path: &str, params: &Params) -> Reply {
    let page = match path {
        "/" => requests::list(state, params),
        "/flows" => flows::table(state, params),
        "/flow" => flows::graph(state, params),
        "/heat" => analysis::heat_map(state, params),
        "/sql" => analysis::sql(state, params),
        "/diff" => analysis::diff(state, params),
        "/scheduler" => service::scheduler(state),
        "/catalog" => service::catalog(state),
        "/keys" => Ok(service::keys()),
        _ => match path.strip_prefix("/requests/") {
            Some(rest) => request::page(state, rest, params),
            None => Err(PageError::not_found("there is no such page")),
        },
    };
    reply(page)
}

/// Performs an action, and returns a page with its result. Replays are the only actions, and fire nothing.
pub(crate) fn act(state: &WebState, path: &str, form: &Params) -> Reply {
    let target = path.strip_prefix("/requests/").and_then(|rest| rest.split_once('/'));
    reply(match target {
        Some((id, "replay")) => replay::run(state, id, form),
        Some((id, "value")) => value::run(state, id, form),
        _ => Err(PageError::not_found("there is no such action")),
    })
}

fn reply(page: Result<Markup, PageError>) -> Reply {
    match page {
        Ok(markup) => Reply::Page(StatusCode::OK, markup),
        Err(PageError { status, why }) => message_page(status, &why),
    }
}
