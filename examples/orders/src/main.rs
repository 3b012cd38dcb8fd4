//! A checkout in steps: prices, stock, a discount, a payment.
//!
//! There are two versions, this one and the feature `next`, to show what a code change does to requests that were recorded
//! before it: `zerver replay` names the step, its line, and both results.

#![allow(unreachable_pub)]

mod checkout;
mod discount;
mod payment;
mod receipt;

use zerver::effects::kv;
use zerver::prelude::*;

zerver::main!(app);

fn app() -> App {
    let shelf = kv::Memory::new()
        .entry(("price", "tea"), 450_u64)
        .entry(("price", "cup"), 1_299_u64)
        .entry(("price", "kettle"), 4_995_u64)
        .entry(("stock", "tea"), 1_000_u64)
        .entry(("stock", "cup"), 1_000_u64)
        .entry(("stock", "kettle"), 2_u64);
    App::new()
        .kv(shelf)
        .interpreter(payment::sandbox)
        .flow(flow!("order-place", POST "/orders", steps: [
            checkout::parse_order, checkout::load_shelf, checkout::check_stock, discount::apply_discount,
            payment::charge, checkout::store_order, checkout::render_placed,
        ]))
        .flow(receipt::FLOW)
}
