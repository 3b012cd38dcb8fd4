//! The macros of zerver: `#[step]`, `#[derive(Slot)]`, `chain!` and `flow!`.
//!
//! They only describe; what they describe is checked and run by `zerver-engine`.

mod flow;
mod slot;
mod step;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as TokenStream2;
use quote::quote;

/// Makes a function a step.
///
/// The function stays as it is. Beside it comes a type of the same name, which carries the description: name, source,
/// documentation, what it reads (its parameters) and what it writes (its return type).
///
/// - A parameter `&Slot` reads a slot which an earlier step wrote, or one which every request has: `&Request`,
///   `&RequestId`, `&Now`, `&Random`.
/// - A parameter `Option<&Slot>` reads a slot which may be unwritten.
/// - A parameter `Option<Progress>`, by value, is what the step itself yielded the last time.
/// - It returns a `Decision`, a `Response`, the slots it writes, or a `Result` of one of these with `Failure`.
#[proc_macro_attribute]
pub fn step(attributes: TokenStream, item: TokenStream) -> TokenStream {
    step::expand(attributes.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a type a slot. `#[slot(secret)]` seals its values in the store and masks them on screen.
#[proc_macro_derive(Slot, attributes(slot))]
pub fn slot(item: TokenStream) -> TokenStream {
    slot::expand(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// A list of steps to put before others: `const AUTH: Chain = chain![parse_auth, lookup_user];`.
#[proc_macro]
pub fn chain(item: TokenStream) -> TokenStream {
    flow::expand_chain(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// A route and its steps:
/// `flow!("todos-item", GET "/v1/todos/{id}", before: AUTH, steps: [parse_id, load_todo, render_todo])`.
///
/// `before` is a chain, or a list of them in brackets, and may be left out. The order of the steps is checked when this
/// compiles: each reads only what an earlier one has written, and no slot has two writers. That holds for an `Option<&Slot>`
/// too, which would be none in every request. Where a step is shared with other flows and that is meant, the flow says so:
/// `flow!("feed-guest", GET "/feed/guest", unwritten: [Claims], steps: [load_feed, render_feed])`.
#[proc_macro]
pub fn flow(item: TokenStream) -> TokenStream {
    flow::expand_flow(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Where the engine is found: users name only `zerver`, the tests of the engine and of the replayer only
/// `zerver-engine`. (The engine's must-not-compile tests run in a package called `zerver-engine-tests`.)
fn engine() -> TokenStream2 {
    match std::env::var("CARGO_PKG_NAME").as_deref() {
        Ok("zerver-engine" | "zerver-engine-tests" | "zerver-replay") => quote!(::zerver_engine),
        _ => quote!(::zerver::engine),
    }
}
