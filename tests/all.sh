#!/bin/sh
# Installs the servers and the browser that the tests start, if they are missing, and runs all tests. Arguments are passed to Cargo.
set -eu
cd "$(dirname "$0")/.."
tests/install-services.sh
exec cargo test --workspace --locked "$@"
