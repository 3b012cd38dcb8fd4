#!/bin/sh
# Makes one fsync of a service that records everything fail with EIO, another one in each round, and looks each time whether
# every request is answered, and is in the store once when the service has ended.
#
#     tests/eio.sh [ROUNDS] [FOLDER OF THE PROGRAMS]
#
# 30 rounds by default: the first fsync fails, then the second, and so on. It needs curl and strace.
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
    until addr=$(sed -n 's/^listening on //p' "$dir/says") && [ -n "$addr" ]; do
        kill -0 "$service" 2>/dev/null || return 1
        sleep 0.01
    done
}

# A store that is there already, so that what fails is mostly what the service does while it serves.
export ZERVER_STORE="$dir/store"
"$bin/zerver-example-todos" 2>"$dir/says" &
service=$!
listens || { cat "$dir/says" >&2; exit 1; }
kill -TERM "$service" && wait "$service"
service=''
mv "$dir/store" "$dir/begun"

round=0 struck=0 refused=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    rm -rf "$dir/store"
    cp -r "$dir/begun" "$dir/store"
    # With -D the service is ours, and strace is its child.
    strace -D -f -qq -o "$dir/trace" -e trace=fsync,fdatasync \
        -e inject=fsync,fdatasync:error=EIO:when="$round" "$bin/zerver-example-todos" 2>"$dir/says" &
    service=$!
    if ! listens; then
        # A store that was asked for and cannot be opened: it says so, and does not start.
        grep -q 'cannot record' "$dir/says" || { cat "$dir/says" >&2; exit 1; }
        service='' refused=$((refused + 1))
        continue
    fi
    asked=0
    while [ "$asked" -lt 40 ]; do
        asked=$((asked + 1))
        curl -sf "$addr/todos?$asked" >"$dir/body" || { echo "round $round: request $asked failed" >&2; exit 1; }
    done
    kill -TERM "$service"
    wait "$service" || { echo "round $round: it ended with $?" >&2; cat "$dir/says" >&2; exit 1; }
    service=''
    grep -q INJECTED "$dir/trace" && struck=$((struck + 1))
    "$bin/zerver" ls --json --limit 1000 | grep -o '"id": *"[^"]*"' | sort >"$dir/ids"
    held=$(wc -l <"$dir/ids") twice=$(uniq -d "$dir/ids" | wc -l)
    if [ "$held" -ne 40 ] || [ "$twice" -ne 0 ]; then
        echo "round $round: $held of 40 are there, $twice twice" >&2
        cat "$dir/says" >&2
        exit 1
    fi
done
echo "$rounds rounds: $refused could not open the store and said so; of the others $struck lost an fsync: all is there, nothing twice"
