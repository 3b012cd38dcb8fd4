#!/bin/sh
# Lets a service that records everything fill a small file system. Checks that requests continue, that the service reports
# that recording is paused, and that recording resumes once there is space.
#
#     tests/full-disk.sh [FOLDER OF THE PROGRAMS]
#
# Mounts a tmpfs, so it has to run as root. Needs curl.
set -eu
cd "$(dirname "$0")/.."
bin=$(cd "${1:-${CARGO_TARGET_DIR:-target}/release}" && pwd)
dir=$(mktemp -d)
service=''
end() {
    if [ -n "$service" ]; then
        kill -9 "$service" 2>/dev/null || true
        wait "$service" 2>/dev/null || true
    fi
    umount "$dir/small" 2>/dev/null || true
    rm -rf "$dir"
}
trap end EXIT
trap 'exit 1' INT TERM
mkdir "$dir/small"
mount -t tmpfs -o size=64m tmpfs "$dir/small"
export ZERVER_STORE="$dir/small/store" ZERVER_RECORD=all ZERVER_ADDR=127.0.0.1:0 TODOS_DATA=memory

wait_for() {
    tries=0
    until grep -q "$1" "$dir/log"; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || { echo "the service does not report: $1" >&2; cat "$dir/log" >&2; exit 1; }
        sleep 0.1
    done
}
# Sends a request with 30 KB of random data.
send() {
    printf '{"title": "milk", "note": "%s"}' "$(head -c 24000 /dev/urandom | base64 -w 0)" >"$dir/todo"
    curl -sf -H 'content-type: application/json' --data-binary "@$dir/todo" "$addr/todos" >"$dir/body" ||
        { echo "a request failed $1" >&2; exit 1; }
}

"$bin/zerver-example-todos" 2>"$dir/log" &
service=$!
wait_for '^listening on '
addr=$(sed -n 's/^listening on //p' "$dir/log")
send 'before'
# Fills the rest of the file system.
head -c 1G /dev/zero >"$dir/small/ballast" 2>/dev/null || true
sent=1
until grep -q 'recording paused' "$dir/log"; do
    sent=$((sent + 1))
    send 'on the full disk'
done
sent=$((sent + 1))
send 'while recording is paused'
rm "$dir/small/ballast"
wait_for 'recording resumed'
sent=$((sent + 1))
send 'afterwards'
kill -TERM "$service"
wait "$service" || { echo "the service exited with $?" >&2; exit 1; }
service=''
held=$("$bin/zerver" ls --json --limit 100000 | grep -o '"id": *"[^"]*"' | sort -u | wc -l)
[ "$held" -eq "$sent" ] || { echo "$held of $sent requests are in the store" >&2; cat "$dir/log" >&2; exit 1; }
grep -o 'recording .*' "$dir/log"
echo "$sent requests on a disk that was full at times: all answered, all recorded"
