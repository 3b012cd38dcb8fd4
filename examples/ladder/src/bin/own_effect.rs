//! An effect of your own: an async function with one attribute.
//!
//! `curl -X POST localhost:3000/invitations/ann@example.com`

use std::sync::atomic::{AtomicU64, Ordering};

use zerver::prelude::*;

zerver::main!(app);

fn app() -> App {
    App::new()
        .effect::<send_mail>()
        .resource(Outbox::default())
        .flow(flow!("invite", POST "/invitations/{to}", steps: [invite, render]))
}

/// State that all calls share. A real one would hold the connections to a mail server.
#[derive(Default)]
struct Outbox {
    last_number: AtomicU64,
}

/// A step calls it as `send_mail(to, text)` and gets an effect. The body runs when the effect is performed; its arguments and
/// its result are recorded.
#[effect(summary = format!("to {to}"))]
async fn send_mail(#[resource] outbox: &Outbox, to: &str, text: &str) -> Result<u64, String> {
    if !to.contains('@') || text.is_empty() {
        return Err(format!("not a mail: {to:?}"));
    }
    Ok(outbox.last_number.fetch_add(1, Ordering::Relaxed) + 1)
}

#[slot]
struct Sent(u64);

#[step]
fn invite(request: &Request) -> Decision<Sent> {
    Need(send_mail(request.param_str("to").unwrap_or_default(), "You are invited.").map(Sent))
}

#[step]
fn render(sent: &Sent) -> Response {
    Response::text(format!("sent as mail {}\n", sent.0))
}

#[test]
fn a_test_answers_instead_of_the_function() {
    let mail = send_mail("ann@example.com", "You are invited.");
    let test = app().test("invite").request("POST", "/invitations/ann@example.com").answer(mail, 7);
    assert_eq!(test.run().text(), "sent as mail 7\n");
}
