//! The tables, one file each: measure every server, and print a row for each.

mod cache;
mod commands;
mod database;
mod effects;
mod fleet;
mod growth;
mod idle;
mod instructions;
mod light;
mod mixed;
mod overload;
mod replays;
mod steal_queue;
mod steals;
mod steps;
mod stores;

pub(crate) use database::policy;
pub(crate) use instructions::NAME as INSTRUCTIONS;

use crate::plan::{FULL, LONG, Plan};

/// Measures and prints a table.
type Table = fn(&Plan) -> Result<(), String>;

/// Every table, with its name and the size of a full run.
pub(crate) const TABLES: [(&str, Table, Plan); 15] = [
    ("light", light::compare, FULL),
    ("mixed", mixed::compare, LONG),
    ("overload", overload::compare, Plan { rounds: 1, ..LONG }),
    ("idle", idle::compare, FULL),
    ("steps", steps::compare, FULL),
    ("steals", steals::compare, Plan { count: 1_000, ..FULL }),
    ("database", database::compare, FULL),
    ("effects", effects::compare, FULL),
    ("cache", cache::compare, FULL),
    ("growth", growth::compare, Plan { rounds: 3, ..FULL }),
    ("stores", stores::compare, Plan { rounds: 3, ..FULL }),
    ("fleet", fleet::compare, FULL),
    ("commands", commands::compare, Plan { rounds: 9, count: 1_000_000, ..FULL }),
    ("replays", replays::compare, Plan { rounds: 5, ..FULL }),
    (INSTRUCTIONS, instructions::compare, Plan { count: 5_000, ..FULL }),
];
