#!/usr/bin/env bash
# Asks a service again and again while hundreds of others take their time: with half a head, half a body, and with more
# answers than the buffers of the system hold, which they do not read. Each round compares how long those asks take with how long they take without the others,
# and at the end the slow ones have to be gone.
#
#     tests/slow.sh [CLIENTS] [FOLDER OF THE PROGRAMS]
#
# 300 clients by default, 100 of each sort. It needs bash and curl, and a machine with little else to do, for it measures
# times: the middle of five rounds has to be less than double, at the 99th percentile.
set -euo pipefail
clients=${1:-300}
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
ulimit -n 4096
export ZERVER_STORE="$dir/store" ZERVER_RECORD=all ZERVER_ADDR=127.0.0.1:0 TODOS_DATA=memory

"$bin/zerver-example-todos" 2>"$dir/says" &
service=$!
until addr=$(sed -n 's/^listening on http:..//p' "$dir/says") && [ -n "$addr" ]; do
    kill -0 "$service" || { cat "$dir/says" >&2; exit 1; }
    sleep 0.01
done
host=${addr%:*} port=${addr##*:}
# Half a megabyte for each answer with all of it.
printf '{"title": "%s"}' "$(head -c 500 /dev/zero | tr '\0' x)" >"$dir/todo"
curl -sf -o "$dir/body" -H 'content-type: application/json' --data-binary "@$dir/todo" "$addr/todos?[1-900]"
# The 99th percentile of 2,000 requests on one connection, in microseconds.
p99() {
    curl -s -o "$dir/body" -w '%{time_total}\n' "$addr/nothing/[1-2000]" |
        awk '{ print int($1 * 1e6) }' | sort -n | sed -n 1980p
}
open=()
slow() {
    for ((n = 0; n < clients; n++)); do
        exec {fd}<>"/dev/tcp/$host/$port"
        open+=("$fd")
        case $((n % 3)) in
        0) printf 'GET /todos HTTP/1.1\r\nhost: ' ;;
        1) printf 'POST /todos HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{' ;;
        2) for ((asked = 0; asked < 40; asked++)); do printf 'GET /todos HTTP/1.1\r\nhost: x\r\n\r\n'; done ;;
        esac >&"$fd"
    done
}
quick() {
    for fd in "${open[@]}"; do exec {fd}>&-; done
    open=()
}

p99 >/dev/null
for round in 1 2 3 4 5; do
    alone=$(p99)
    slow
    beside=$(p99)
    quick
    echo "round $round: p99 $alone µs alone, $beside µs beside $clients slow clients" >&2
    echo "$((100 * beside / alone))"
done | sort -n >"$dir/ratios"
middle=$(sed -n 3p "$dir/ratios")

# They are sent away by themselves: head after 10 s, body after 10 s without a byte, answers after 30 s.
slow
left=$clients
for _ in $(seq 60); do
    sleep 1
    left=$(curl -s -H 'accept: application/json' "http://localhost:$port/metrics" |
        grep -o '"connections":[0-9]*' | awk -F: '{ n += $2 } END { print n - 1 }')
    [ "$left" -gt 0 ] || break
done
[ "$left" -le 0 ] || { echo "$left slow clients are still connected" >&2; exit 1; }
[ "$middle" -lt 200 ] || { echo "the 99th percentile is $middle % of what it is alone" >&2; exit 1; }
echo "$clients slow clients: the 99th percentile of others is $middle % of what it is alone; all of them were closed"
