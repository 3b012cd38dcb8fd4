#!/bin/sh
# Repeatedly kills a service that records everything under load. Checks each time that everything that `zerver ls` had shown
# is still there, and that the store opens within a second.
#
#     tests/kill9.sh [ROUNDS] [FOLDER OF THE PROGRAMS]
#
# 200 rounds by default, about a second each. The programs are by default those of `cargo build --release`. Needs curl.
set -eu
rounds=${1:-200}
cd "$(dirname "$0")/.."
bin=$(cd "${2:-${CARGO_TARGET_DIR:-target}/release}" && pwd)
dir=$(mktemp -d)
service='' load=''
end() {
    for pid in $service $load; do kill -9 "$pid" 2>/dev/null || true; done
    rm -rf "$dir"
}
trap end EXIT
trap 'exit 1' INT TERM
export ZERVER_STORE="$dir/store" ZERVER_RECORD=all ZERVER_ADDR=127.0.0.1:0 TODOS_DATA=memory

ids() {
    "$bin/zerver" ls --json --limit "$1" | grep -o '"id": *"[^"]*"' | sort
}
now_ms() {
    echo $(($(date +%s%N) / 1000000))
}

round=0 slowest=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    # Emptied before the service starts, because the address of the previous round is in it.
    : >"$dir/log"
    "$bin/zerver-example-todos" 2>"$dir/log" &
    service=$!
    until addr=$(sed -n 's/^listening on //p' "$dir/log") && [ -n "$addr" ]; do
        kill -0 "$service" || { cat "$dir/log"; exit 1; }
        sleep 0.01
    done
    load=''
    for client in 1 2 3; do
        while :; do curl -s -o "$dir/body$client" "$addr/todos?[1-1000]" || break; done &
        load="$load $!"
    done
    # Another phase of the writer in each round.
    sleep "0.$((round * 37 % 6))$((round * 53 % 10))"
    ids 20000 >"$dir/before"
    kill -9 "$service"
    for pid in $load; do wait "$pid" || true; done
    wait "$service" 2>/dev/null || true
    service='' load=''
    began=$(now_ms)
    "$bin/zerver" ls -q --limit 1 >/dev/null
    took=$(($(now_ms) - began))
    ids 60000 >"$dir/after"
    lost=$(comm -23 "$dir/before" "$dir/after" | wc -l)
    twice=$(uniq -d "$dir/after" | wc -l)
    [ "$took" -le "$slowest" ] || slowest=$took
    if [ "$lost" -ne 0 ] || [ "$twice" -ne 0 ] || [ "$took" -ge 1000 ]; then
        echo "round $round: $lost lost, $twice twice, opened in $took ms" >&2
        exit 1
    fi
done
held=$("$bin/zerver" doctor | sed -n 's/^holds *\([0-9,]*\).*/\1/p')
echo "$rounds rounds: nothing lost; $held requests recorded; the slowest opening took $slowest ms"
