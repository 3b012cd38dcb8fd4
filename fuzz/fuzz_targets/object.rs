//! See `zerver_fuzz::object`.

#![no_main]

#[global_allocator]
static ALLOCATOR: zerver_fuzz::Counting = zerver_fuzz::Counting;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zerver_fuzz::object(bytes));
