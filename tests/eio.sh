#!/bin/sh
# Lets one fsync of a service that records everything fail with EIO, a later one in each round. Checks each time that every
# request is answered, and is in the store once after the service has ended.
#
#     tests/eio.sh [ROUNDS] [FOLDER OF THE PROGRAMS]
#
# 30 rounds by default: the first fsync fails, then the second, and so on. Needs curl and strace.
set -eu
rounds=${1:-30}
cd "$(dirname "$0")/.."
bin=$(cd "${2:-${CARGO_TARGET_DIR:-target}/release}" && pwd)
dir=$(mktemp -d)
service=''
end() {
    [ -z "$service" ] || kill -9 "$service" 2>/dev/null || true
    rm -rf "$dir"
}
trap end EXIT
trap 'exit 1' INT TERM
export ZERVER_RECORD=all ZERVER_ADDR=127.0.0.1:0 TODOS_DATA=memory

listens() {
    until addr=$(sed -n 's/^listening on //p' "$dir/log") && [ -n "$addr" ]; do
        kill -0 "$service" 2>/dev/null || return 1
        sleep 0.01
    done
}

# The store exists already, so that most failures happen while the service serves.
export ZERVER_STORE="$dir/store"
"$bin/zerver-example-todos" 2>"$dir/log" &
service=$!
listens || { cat "$dir/log" >&2; exit 1; }
kill -TERM "$service" && wait "$service"
service=''
mv "$dir/store" "$dir/begun"

round=0 struck=0 refused=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    rm -rf "$dir/store"
    cp -r "$dir/begun" "$dir/store"
    # Emptied before the service starts, because the address of the previous round is in it.
    : >"$dir/log"
    # With -D, the service is the child of this script, and strace a child of the service.
    strace -D -f -qq -o "$dir/trace" -e trace=fsync,fdatasync \
        -e inject=fsync,fdatasync:error=EIO:when="$round" "$bin/zerver-example-todos" 2>"$dir/log" &
    service=$!
    if ! listens; then
        # A service whose store cannot be opened reports it and does not start.
        grep -q 'cannot record' "$dir/log" || { cat "$dir/log" >&2; exit 1; }
        service='' refused=$((refused + 1))
        continue
    fi
    sent=0
    while [ "$sent" -lt 40 ]; do
        sent=$((sent + 1))
        curl -sf "$addr/todos?$sent" >"$dir/body" || { echo "round $round: request $sent failed" >&2; exit 1; }
    done
    kill -TERM "$service"
    wait "$service" || { echo "round $round: the service exited with $?" >&2; cat "$dir/log" >&2; exit 1; }
    service=''
    grep -q INJECTED "$dir/trace" && struck=$((struck + 1))
    "$bin/zerver" ls --json --limit 1000 | grep -o '"id": *"[^"]*"' | sort >"$dir/ids"
    held=$(wc -l <"$dir/ids") twice=$(uniq -d "$dir/ids" | wc -l)
    if [ "$held" -ne 40 ] || [ "$twice" -ne 0 ]; then
        echo "round $round: $held of 40 requests are in the store, $twice of them twice" >&2
        cat "$dir/log" >&2
        exit 1
    fi
done
echo "$rounds rounds: $refused reported that the store cannot be opened; in $struck of the others an fsync failed; every request was recorded once"
