//! Routes: which handler answers a path. Only a POST can do something.

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::task::spawn_blocking;

use super::access::{Access, AccessRules};
use super::body::ReplyBody;
use super::live_events;
use super::request_body::read_form;
use super::response::into_response;
use crate::handler::{self, WebState};
use crate::page::{assets, message_page, sign_in_page};
use crate::reply::Reply;
use crate::url::Params;

/// Answers a request.
pub(super) async fn answer(
    state: Arc<WebState>,
    rules: Arc<AccessRules>,
    request: Request<Incoming>,
) -> Response<ReplyBody> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let params = Params::parse(head.uri.query().unwrap_or_default().as_bytes());
    let reply = match rules.check(&head) {
        Access::Refused(status, why) => message_page(status, why),
        Access::SignIn { to } => Reply::SeeOther { to, set_cookie: Some(rules.set_cookie()) },
        // The look of the page that asks to sign in.
        Access::SignInNeeded if assets::find(&path).is_some() && head.method != Method::POST => {
            assets::find(&path)
                .unwrap_or_else(|| message_page(StatusCode::NOT_FOUND, "there is no such page"))
        }
        Access::SignInNeeded => sign_in_page(&params.link(&path, &[("token", "")])),
        Access::Granted if head.method == Method::POST => match read_form(body).await {
            Ok(form) => blocking(move || handler::act(&state, &path, &form)).await,
            Err((status, why)) => message_page(status, why),
        },
        Access::Granted if !params.get("token").is_empty() => {
            Reply::SeeOther { to: params.link(&path, &[("token", "")]), set_cookie: None }
        }
        Access::Granted if path == "/events" => Reply::Events(live_events::follow(&state, &params)),
        Access::Granted => match assets::find(&path) {
            Some(asset) => asset,
            None => blocking(move || handler::show(&state, &path, &params)).await,
        },
    };
    into_response(reply)
}

/// Runs a handler on a thread where it may block.
async fn blocking(handler: impl FnOnce() -> Reply + Send + 'static) -> Reply {
    spawn_blocking(handler).await.unwrap_or_else(|_| {
        message_page(
            StatusCode::INTERNAL_SERVER_ERROR,
            "this page could not be made because of a bug in zerver; the terminal shows it",
        )
    })
}
