//! An effect kind of your own, and the interpreter that performs it.
//!
//! `curl -X POST localhost:3000/invitations/ann@example.com`

use zerver::prelude::*;

zerver::main!(app);

fn app() -> App {
    App::new().interpreter(deliver).flow(flow!("invite", POST "/invitations/{to}", steps: [invite, render]))
}

/// The effect that a step requests: plain data, recorded with the trace.
#[derive(Debug, Serialize, Deserialize)]
struct SendMail {
    to: String,
    text: String,
}

impl EffectKind for SendMail {
    const KIND: &'static str = "mail";
    type Output = u64;

    /// The line that a timeline shows.
    fn summary(&self) -> String {
        format!("to {}", self.to)
    }
}

/// Performs the effect. A real one would talk to a mail server; this one returns the length of the mail as its number.
fn deliver(mail: &SendMail) -> impl Future<Output = Result<u64, EffectError>> + use<> {
    let number = mail.text.len() as u64;
    async move { Ok(number) }
}

#[slot]
struct Sent(u64);

#[step]
fn invite(request: &Request) -> Decision<Sent> {
    let to = request.param_str("to").unwrap_or_default().to_owned();
    Need(effect(SendMail { to, text: "You are invited.".to_owned() }).map(Sent))
}

#[step]
fn render(sent: &Sent) -> Response {
    Response::text(format!("sent as mail {}\n", sent.0))
}

#[test]
fn a_test_answers_instead_of_the_interpreter() {
    let mail = effect(SendMail { to: "ann@example.com".to_owned(), text: "You are invited.".to_owned() });
    let test = app().test("invite").request("POST", "/invitations/ann@example.com").answer(mail, 7);
    assert_eq!(test.run().text(), "sent as mail 7\n");
}
