#!/bin/sh
# Installs the servers and the browser that the tests start, if they are missing. Debian and Ubuntu; as root or with sudo.
set -eu

# Installs the packages of the checks in the browser, as they are locked.
install_packages() {
    folder=$(dirname "$0")/browser
    [ "$folder/node_modules/.package-lock.json" -nt "$folder/package-lock.json" ] ||
        npm ci --prefix "$folder" --no-audit --no-fund --ignore-scripts --silent
}

missing=
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null 2>&1 || missing="$missing postgresql"
command -v pgbouncer >/dev/null 2>&1 || [ -x /usr/sbin/pgbouncer ] || missing="$missing pgbouncer"
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
python3 -c 'import aiosmtpd' >/dev/null 2>&1 || /usr/bin/python3 -c 'import aiosmtpd' >/dev/null 2>&1 || missing="$missing python3-aiosmtpd"
# The tests of the web UI; macOS has browsers elsewhere.
command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 ||
    command -v google-chrome >/dev/null 2>&1 || [ -d '/Applications/Google Chrome.app' ] || missing="$missing chromium"
command -v node >/dev/null 2>&1 || missing="$missing nodejs"
command -v npm >/dev/null 2>&1 || missing="$missing npm"
# No distribution has a package of this one. It is compiled while the others are installed, without optimization, which is much
# quicker and makes no difference to the tests.
compiling=
if ! command -v s3s-fs >/dev/null 2>&1 && [ ! -x "$HOME/.cargo/bin/s3s-fs" ]; then
    CARGO_PROFILE_DEV_DEBUG=false \
        cargo install --debug --locked --quiet s3s-fs --version 0.14.1 --features binary &
    compiling=$!
fi

# Ends the script once everything is installed.
finish() {
    install_packages
    [ -z "$compiling" ] || wait "$compiling" || {
        echo 's3s-fs, which the tests of buckets start, could not be compiled' >&2
        exit 1
    }
    exit 0
}

[ -n "$missing" ] || finish

if ! command -v apt-get >/dev/null 2>&1; then
    echo "install these with the package manager of this system:$missing" >&2
    exit 1
fi
if [ "$(id -u)" -eq 0 ]; then sudo=; else sudo=sudo; fi
# The tests start servers of their own, so the package need not create one.
$sudo mkdir -p /etc/postgresql-common/createcluster.d
echo 'create_main_cluster = false' | $sudo tee /etc/postgresql-common/createcluster.d/no-main-cluster.conf >/dev/null
$sudo apt-get update -q
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends $missing
finish
