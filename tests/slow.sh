#!/usr/bin/env bash
# Sends requests to a service while hundreds of slow clients are connected: with half a head, with half a body, and with more
# unread answers than the system buffers. Each round compares the latency with the latency without the slow clients. At the
# end the slow clients must be disconnected.
#
#     tests/slow.sh [CLIENTS] [FOLDER OF THE PROGRAMS]
#
# 300 clients by default, 100 of each kind. Needs bash, curl, and a quiet machine, because it measures times: the median ratio of
# five rounds must be less than 2 at the 99th percentile.
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

"$bin/zerver-example-todos" 2>"$dir/log" &
service=$!
until addr=$(sed -n 's/^listening on http:..//p' "$dir/log") && [ -n "$addr" ]; do
    kill -0 "$service" || { cat "$dir/log" >&2; exit 1; }
    sleep 0.01
done
host=${addr%:*} port=${addr##*:}
# Half a megabyte for each answer with all todos.
printf '{"title": "%s"}' "$(head -c 500 /dev/zero | tr '\0' x)" >"$dir/todo"
curl -sf -o "$dir/body" -H 'content-type: application/json' --data-binary "@$dir/todo" "$addr/todos?[1-900]"
# Prints the 99th percentile of 2,000 requests on one connection, in microseconds.
p99() {
    curl -s -o "$dir/body" -w '%{time_total}\n' "$addr/nothing/[1-2000]" |
        awk '{ print int($1 * 1e6) }' | sort -n | sed -n 1980p
}
open=()
connect_slow() {
    for ((n = 0; n < clients; n++)); do
        exec {fd}<>"/dev/tcp/$host/$port"
        open+=("$fd")
        case $((n % 3)) in
        0) printf 'GET /todos HTTP/1.1\r\nhost: ' ;;
        1) printf 'POST /todos HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{' ;;
        2) for ((sent = 0; sent < 40; sent++)); do printf 'GET /todos HTTP/1.1\r\nhost: x\r\n\r\n'; done ;;
        esac >&"$fd"
    done
}
disconnect() {
    for fd in "${open[@]}"; do exec {fd}>&-; done
    open=()
}

p99 >/dev/null
for round in 1 2 3 4 5; do
    alone=$(p99)
    connect_slow
    loaded=$(p99)
    disconnect
    echo "round $round: p99 $alone µs alone, $loaded µs with $clients slow clients" >&2
    echo "$((100 * loaded / alone))"
done | sort -n >"$dir/ratios"
middle=$(sed -n 3p "$dir/ratios")

# The service disconnects them: after 10 s without a whole head, after 10 s without a byte of the body, after 30 s without reading.
connect_slow
left=$clients
for _ in $(seq 60); do
    sleep 1
    left=$(curl -s -H 'accept: application/json' "http://localhost:$port/metrics" |
        grep -o '"connections":[0-9]*' | awk -F: '{ n += $2 } END { print n - 1 }')
    [ "$left" -gt 0 ] || break
done
[ "$left" -le 0 ] || { echo "$left slow clients are still connected" >&2; exit 1; }
[ "$middle" -lt 200 ] || { echo "the 99th percentile is $middle % of the one without slow clients" >&2; exit 1; }
echo "$clients slow clients: the 99th percentile of other requests is $middle % of the one without them; all slow clients were disconnected"
