#!/usr/bin/env bash
# Decodes hostile bytes: portable files, frames, values, blocks, objects of a bucket, queries, spans, messages of a debugger.
# No input may cause a panic, or take more than 16 MiB in addition to its own size. Uses libfuzzer if cargo-fuzz and a nightly compiler are installed, and mutates the fixtures if not.
# Usage: tests/fuzz.sh [SECONDS] [TARGET..]   SECONDS for all targets together, 300 by default
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
seconds=${1:-300}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(portable body frame value block object query spans debugger)
fixtures=("$PWD"/../fixtures/stories/*.zrv "$PWD"/../fixtures/golden/*/trace.zrv)

# The initial corpus of the targets.
cargo run --release --quiet --no-default-features --bin mutate -- --corpus corpus "${fixtures[@]}"
if cargo +nightly fuzz --version >/dev/null 2>&1; then
    for target in "${targets[@]}"; do
        cargo +nightly fuzz run "$target" -- -max_total_time=$((seconds / ${#targets[@]})) -max_len=32768 -rss_limit_mb=512
    done
else
    echo 'cargo-fuzz with a nightly compiler is not installed: mutating the fixtures'
    cargo run --release --quiet --no-default-features --bin mutate -- "$seconds" "${fixtures[@]}"
fi
