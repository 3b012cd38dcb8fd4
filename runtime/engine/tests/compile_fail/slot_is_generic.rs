#![allow(unused)]
use serde::{Deserialize, Serialize};
use zerver_engine::{FlowDef, Request, Response, Slot, flow, slot, step};

#[slot]
struct Page<T>(Vec<T>);

#[slot]
enum Name<'a> {
    Borrowed(&'a str),
}

fn main() {}
