# What a person runs before a commit is what CI runs.

# Everything that CI checks.
verify:
    bash .ci/run

# All tests, and the examples in the documentation.
test:
    cargo test --workspace

# Where threads meet, in every order in which they may come (loom).
threads:
    cargo test -p zerver-threads

# Format, lint, and check the documentation.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Licences, advisories and duplicates of the dependencies; needs cargo-deny and the network.
deny:
    cargo deny check

# zerver beside axum, in one run; prints ratios.
bench:
    cargo run --release -p zerver-benches

# Writes the messages of the must-not-compile tests anew, for review.
bless:
    TRYBUILD=overwrite cargo test -p zerver-engine --test it compile_fail
