use zerver_engine::{Response, flow, step};

#[step]
fn show() -> Response {
    Response::no_content()
}

fn main() {
    flow!("metrics", GET "/", steps: [show]);
}
