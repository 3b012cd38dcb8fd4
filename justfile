# The commands for working on zerver. A contributor runs the same checks before a commit as CI does.

# Run everything that CI checks.
verify:
    bash .ci/run

# Run all tests, including the examples in the documentation.
test:
    tests/all.sh

# Run the lock-free parts in every interleaving (loom).
threads:
    cargo test -p zerver-threads

# Format, lint, and check the documentation.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Check licenses, advisories, duplicates and sources of the dependencies; needs cargo-deny and the network.
deny:
    cargo deny check

# Feed hostile bytes to everything that decodes them; uses cargo-fuzz if it is installed.
fuzz seconds="300":
    tests/fuzz.sh {{seconds}}

# Compare zerver with axum and hyper, and print ratios.
bench:
    cargo run --release -p zerver-benches

# Build the book into target/book; needs mdbook.
book:
    mdbook build

# Rewrite the expected messages of the must-not-compile tests; review the diff.
bless:
    TRYBUILD=overwrite cargo test -p zerver-engine --test it compile_fail
