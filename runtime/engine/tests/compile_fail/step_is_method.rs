#![allow(unused)]
use zerver_engine::{Response, step};

struct Service;

impl Service {
    #[step]
    fn render(&self) -> Response {
        Response::no_content()
    }
}

fn main() {}
