//! Paths to the crates that expanded code names.

use proc_macro2::TokenStream;
use quote::quote;

/// Returns the path to the engine. Services depend on `zerver` alone, the tests of the engine and of the replayer on
/// `zerver-engine` alone. (The engine's must-not-compile tests run in a package called `zerver-engine-tests`.)
pub(crate) fn engine() -> TokenStream {
    match std::env::var("CARGO_PKG_NAME").as_deref() {
        Ok("zerver-engine" | "zerver-engine-tests" | "zerver-replay") => quote!(::zerver_engine),
        _ => quote!(::zerver::engine),
    }
}

/// Returns the path to the runtime, which performs effects.
pub(crate) fn runtime() -> TokenStream {
    quote!(::zerver)
}
