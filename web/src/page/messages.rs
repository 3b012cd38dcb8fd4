//! Pages without content: errors, and the request to sign in.

use http::StatusCode;
use maud::{DOCTYPE, Markup, html};

use crate::page::text::safe;
use crate::reply::Reply;

/// Returns a page that says why there is no other.
pub(crate) fn message_page(status: StatusCode, why: &str) -> Reply {
    let reason = status.canonical_reason().unwrap_or("Error");
    Reply::Page(
        status,
        bare(
            reason,
            &html! {
                h1 { (status.as_u16()) " " (reason) }
                p { (safe(why)) "." }
                p { a href="/" { "Back to the requests" } }
            },
        ),
    )
}

/// Returns the page for users without a cookie. `here` is the page that they wanted.
pub(crate) fn sign_in_page(here: &str) -> Reply {
    Reply::Page(
        StatusCode::UNAUTHORIZED,
        bare(
            "Sign in",
            &html! {
                h1 { "Sign in" }
                p { "Open the URL with the token that " code { "zerver web" } " or " code { "zerver dev" }
                    " has printed in its terminal. It is valid as long as the command runs." }
                p { "If this browser is signed in and you followed a link of another site, "
                    a href=(here) { "continue to the page" } "." }
            },
        ),
    )
}

fn bare(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · zerver" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/style.css";
            }
            body { main.message { (content) } }
        }
    }
}
