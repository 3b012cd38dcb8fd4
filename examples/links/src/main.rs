//! A link shortener: the service that the tutorial (`runtime/docs/tutorial.md`) builds.

use zerver::effects::{http, kv};
use zerver::prelude::*;

zerver::main!(app);

fn app() -> App {
    App::new()
        .flow(flow!("link-create", POST "/links", steps: [parse_link, store_link, render_created]))
        .flow(flow!("link-show", GET "/links/{code}", steps: [load_link, count_visit, render_link]))
        .flow(flow!("link-check", GET "/links/{code}/check", steps: [load_link, fetch_target, render_check]))
}

#[slot]
#[derive(Debug, Clone, PartialEq)]
struct Link {
    code: String,
    url: String,
}

/// Number of times that a link was shown, this time included.
#[slot]
#[derive(Debug, Clone, PartialEq)]
struct Visits(i64);

/// Response of the page that a link leads to.
#[slot]
#[derive(Debug, Clone, PartialEq)]
struct Target {
    status: u16,
    bytes: usize,
}

#[step]
fn parse_link(request: &Request) -> Result<Link, Failure> {
    let link: Link = request.json()?;
    if link.url.starts_with("http://") || link.url.starts_with("https://") {
        return Ok(link);
    }
    Err(Failure::invalid("url").message("must begin with http:// or https://"))
}

#[step]
fn store_link(link: &Link) -> Decision<()> {
    Need(kv::put(("link", link.code.as_str()), link.clone()))
}

#[step]
fn render_created(link: &Link) -> Response {
    Response::json(link)
}

#[step]
fn load_link(request: &Request) -> Decision<Link> {
    let code = request.param_str("code").unwrap_or_default();
    Need(kv::get(("link", code)).or_not_found("link", code))
}

#[step]
fn count_visit(link: &Link) -> Decision<Visits> {
    Need(kv::add(("visits", link.code.as_str()), 1).map(Visits))
}

#[step]
fn render_link(link: &Link, visits: &Visits) -> Response {
    Response::text(format!("{} ({} visits)\n", link.url, visits.0))
}

#[step]
fn fetch_target(link: &Link) -> Decision<Target> {
    let reply = http::get(&link.url).timeout(500.millis()).send().retry(Retry::attempts(3));
    Need(reply.map(|reply| Target { status: reply.status, bytes: reply.body.len() }))
}

#[step]
fn render_check(target: &Target) -> Response {
    Response::json(target)
}
