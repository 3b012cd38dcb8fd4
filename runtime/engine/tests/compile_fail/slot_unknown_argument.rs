#![allow(unused)]
use serde::{Deserialize, Serialize};
use zerver_engine::{FlowDef, Request, Response, Slot, flow, slot, step};

#[slot(hidden)]
struct Password(String);

#[slot(secret, secret)]
struct Token(String);

#[derive(Slot, Serialize, Deserialize)]
#[slot(masked)]
struct Pin(u32);

#[slot(index, secret)]
struct Key(String);

fn main() {}
