#!/usr/bin/env bash
# Reads bytes from anywhere: portable files, frames, values, blocks. None may panic or take more than 16 MiB beyond its
# input. With cargo-fuzz and a nightly compiler by libfuzzer, without them by mutating the fixtures.
# Usage: tests/fuzz.sh [SECONDS] [TARGET..]   SECONDS for all targets together; 300
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
seconds=${1:-300}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(portable body frame value block)
fixtures=("$PWD"/../fixtures/stories/*.zrv "$PWD"/../fixtures/golden/*/trace.zrv)

# What the targets begin with.
cargo run --release --quiet --no-default-features --bin mutate -- --corpus corpus "${fixtures[@]}"
if cargo +nightly fuzz --version >/dev/null 2>&1; then
    for target in "${targets[@]}"; do
        cargo +nightly fuzz run "$target" -- -max_total_time=$((seconds / ${#targets[@]})) -max_len=32768 -rss_limit_mb=512
    done
else
    echo 'no cargo-fuzz with a nightly compiler here: the fixtures are mutated'
    cargo run --release --quiet --no-default-features --bin mutate -- "$seconds" "${fixtures[@]}"
fi
