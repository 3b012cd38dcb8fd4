//! A WebSocket: a step decides who may speak, and a function exchanges the messages.
//!
//! In a browser: `const s = new WebSocket("ws://localhost:3000/echo/ann"); s.onmessage = m => console.log(m.data); s.send("hi")`.

use zerver::effects::websocket::WebSocketClosed;
use zerver::prelude::*;

zerver::main!(app);

fn app() -> App {
    App::new().flow(flow!("echo", GET "/echo/{name}", steps: [check_name, open])).effect::<echo>()
}

/// Sends each text back. It ends when the client leaves, and the socket closes when it ends.
#[websocket]
async fn echo(name: String, mut socket: WebSocket) -> Result<(), WebSocketClosed> {
    while let Some(message) = socket.receive().await {
        match message.as_text() {
            Some("bye") => return Ok(()),
            Some(text) => socket.send(format!("{name}: {text}")).await?,
            None => {
                socket.close(1003, "texts only").await;
                break;
            }
        }
    }
    Ok(())
}

/// Decides while the client still understands HTTP.
#[step]
fn check_name(request: &Request) -> Result<(), Failure> {
    match request.param_str("name") {
        Some("root") => Err(Failure::forbidden("name")),
        _ => Ok(()),
    }
}

#[step]
fn open(Path(name): Path<String>) -> Response {
    Response::websocket(echo(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_begins_if_the_steps_allow_it() {
        let response = app().test("echo").get("/echo/ann").websocket().run();
        assert_eq!(response.status(), 101);
        assert_eq!(format!("{:?}", response.stream().unwrap().call()), r#"echo {name: "ann"}"#);
        assert_eq!(app().test("echo").get("/echo/root").websocket().run().status(), 403);
        assert_eq!(app().test("echo").get("/echo/ann").run().status(), 426);
    }
}
