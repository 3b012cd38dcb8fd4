#![allow(unused)]
use serde::{Deserialize, Serialize};
use zerver_engine::{FlowDef, Request, Response, Slot, flow, slot, step};

#[slot]
fn todo() -> u64 {
    1
}

#[slot]
union Bits {
    number: u32,
    bytes: [u8; 4],
}

#[derive(Slot)]
union Words {
    number: u32,
    halves: [u16; 2],
}

fn main() {}
