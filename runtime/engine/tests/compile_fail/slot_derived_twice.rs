#![allow(unused)]
use serde::{Deserialize, Serialize};
use zerver_engine::{FlowDef, Request, Response, Slot, flow, slot, step};

#[zerver_engine::slot]
#[derive(Debug, Slot)]
struct Todo(String);

#[slot]
#[slot(secret)]
struct Token(String);

fn main() {}
