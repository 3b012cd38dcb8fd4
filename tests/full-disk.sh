#!/bin/sh
# Lets a service that records everything run into the end of a small file system, and looks whether requests go on, whether
# it says that recording is paused, and whether it resumes when there is space.
#
#     tests/full-disk.sh [FOLDER OF THE PROGRAMS]
#
# It mounts a tmpfs, for which it has to be root, and needs curl.
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

says() {
    tries=0
    until grep -q "$1" "$dir/says"; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || { echo "it does not say: $1" >&2; cat "$dir/says" >&2; exit 1; }
        sleep 0.1
    done
}
# Each with some 30 KB that are like nothing before.
ask() {
    printf '{"title": "milk", "note": "%s"}' "$(head -c 24000 /dev/urandom | base64 -w 0)" >"$dir/todo"
    curl -sf -H 'content-type: application/json' --data-binary "@$dir/todo" "$addr/todos" >"$dir/body" ||
        { echo "a request failed $1" >&2; exit 1; }
}

"$bin/zerver-example-todos" 2>"$dir/says" &
service=$!
says '^listening on '
addr=$(sed -n 's/^listening on //p' "$dir/says")
ask 'before'
# All but a little of what is left.
head -c 1G /dev/zero >"$dir/small/ballast" 2>/dev/null || true
asked=1
until grep -q 'recording paused' "$dir/says"; do
    asked=$((asked + 1))
    ask 'on the full disk'
done
asked=$((asked + 1))
ask 'while recording is paused'
rm "$dir/small/ballast"
says 'recording resumed'
asked=$((asked + 1))
ask 'afterwards'
kill -TERM "$service"
wait "$service" || { echo "it ended with $?" >&2; exit 1; }
service=''
held=$("$bin/zerver" ls --json --limit 100000 | grep -o '"id": *"[^"]*"' | sort -u | wc -l)
[ "$held" -eq "$asked" ] || { echo "$held of $asked are there" >&2; cat "$dir/says" >&2; exit 1; }
sed -n 's/^.*\(recording .*\)$/\1/p' "$dir/says"
echo "$asked requests on a disk that was full: all answered, all recorded"
