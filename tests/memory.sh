#!/usr/bin/env bash
# Streams a gibibyte to a client, and one from a client, and then events to 1,000 clients of which half never read. The memory of
# the service must stay below a limit all the time, and every client that reads must get everything.
#
#     tests/memory.sh [LIMIT IN MiB] [FOLDER OF THE PROGRAMS]
#
# 200 MiB by default. A debug build does, and takes some minutes. Needs Linux, bash and curl.
set -euo pipefail
limit=${1:-200}
cd "$(dirname "$0")/.."
bin=$(cd "${2:-${CARGO_TARGET_DIR:-target}/release}" && pwd)
dir=$(mktemp -d)
service=''
end() {
    if [ -n "$service" ]; then
        kill -9 "$service" 2>/dev/null || true
        wait "$service" 2>/dev/null || true
    fi
    rm -rf "$dir"
}
trap end EXIT
trap 'exit 1' INT TERM
ulimit -n 4096
export ZERVER_STORE="$dir/store" ZERVER_RECORD=all ZERVER_ADDR=127.0.0.1:0

"$bin/zerver-tests-large-bodies" 2>"$dir/log" &
service=$!
until addr=$(sed -n 's/^listening on http:..//p' "$dir/log") && [ -n "$addr" ]; do
    kill -0 "$service" || { cat "$dir/log" >&2; exit 1; }
    sleep 0.01
done
host=${addr%:*} port=${addr##*:}
# Checks the highest use of memory so far, and prints it.
check() {
    local peak
    peak=$(awk '/^VmHWM/ { print int($2 / 1024) }' "/proc/$service/status")
    echo "$1: peak $peak MiB"
    [ "$peak" -lt "$limit" ] || { echo "more than $limit MiB" >&2; exit 1; }
}
expect() {
    [ "$2" = "$3" ] || { echo "$1: $2 instead of $3" >&2; exit 1; }
}

curl -sf -o "$dir/body" "$addr/zeros/1"
check 'after 1 MiB'
received=$(curl -sf "$addr/zeros/1024" | wc -c)
expect 'bytes received' "$received" 1073741824
check 'after a response of 1 GiB'
counted=$(head -c 1G /dev/zero | curl -sf -T - -H 'expect:' "$addr/upload")
expect 'bytes counted' "$counted" 1073741824
check 'after a request of 1 GiB'

# Half of the clients never read; what is sent to them does not fit into the buffers of the system.
open=()
for _ in {1..500}; do
    exec {fd}<>"/dev/tcp/$host/$port"
    printf 'GET /events/100000 HTTP/1.1\r\nhost: x\r\n\r\n' >&"$fd"
    open+=("$fd")
done
readers=()
for part in {1..4}; do
    curl -sf --no-progress-meter -Z --parallel-max 125 --parallel-immediate -o "$dir/events.$part.#1" "$addr/events/200?[1-125]" &
    readers+=($!)
done
wait "${readers[@]}"
expect 'events received' "$(cat "$dir"/events.*.* | grep -c '^id: ')" 100000
check 'with 1,000 clients of events, half of which never read'
expect 'status meanwhile' "$(curl -s -o "$dir/body" -w '%{http_code}' "$addr/zeros/1")" 200
for fd in "${open[@]}"; do exec {fd}>&-; done
echo "the memory stayed below $limit MiB"
