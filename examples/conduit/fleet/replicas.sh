#!/bin/sh
# Starts three replicas of Conduit on this machine, which ship what they record to one PostgreSQL. Ctrl-C ends them.
#
#     DATABASE_URL=postgresql://me@localhost/conduit examples/conduit/fleet/replicas.sh
#
# The database holds both the articles (schema `public`) and the recorded requests (schema `conduit_traces`).
# PORT is the port of the first replica (3001), REPLICAS_DIR the folder of their stores (a temporary one), and BIN_DIR that of
# programs that are built already.
set -eu

: "${DATABASE_URL:?set DATABASE_URL to a PostgreSQL database whose user may create schemas}"
first_port=${PORT:-3001}
cd "$(dirname "$0")/../../.."
if [ -z "${BIN_DIR:-}" ]; then
    cargo build --locked --quiet -p zerver-example-conduit -p zerver-cli
    BIN_DIR="${CARGO_TARGET_DIR:-$PWD/target}/debug"
fi
# A token of one replica is valid for all.
CONDUIT_KEY=${CONDUIT_KEY:-$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')}
export CONDUIT_KEY

case $DATABASE_URL in
*\?*) store="$DATABASE_URL&ns=conduit_traces" ;;
*) store="$DATABASE_URL?ns=conduit_traces" ;;
esac
# Readers get the URL with the scheme by which zerver knows databases.
store="postgres://${store#*://}"
"$BIN_DIR/zerver" fleet init --store "$store"
"$BIN_DIR/zerver-example-conduit" seed

dir=${REPLICAS_DIR:-$(mktemp -d)}
pids=
stop() {
    trap - INT TERM EXIT
    # shellcheck disable=SC2086
    kill $pids 2>/dev/null || true
    wait
    [ -n "${REPLICAS_DIR:-}" ] || rm -rf "$dir"
}
trap stop EXIT
trap 'stop; exit 0' INT TERM
for number in 1 2 3; do
    addr="127.0.0.1:$((first_port + number - 1))"
    ZERVER_FLEET_STORE=$store ZERVER_FLEET_EVERY=1s ZERVER_RECORD=all ZERVER_ADDR=$addr \
        ZERVER_STORE="$dir/replica-$number" "$BIN_DIR/zerver-example-conduit" &
    pids="$pids $!"
    echo "replica $number: http://$addr/api/articles"
done
echo "export ZERVER_STORE='$store'"
echo "then: zerver ls, zerver flows, zerver trace @last, zerver fleet status"
wait
