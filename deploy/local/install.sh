#!/usr/bin/env bash
# Installs MariaDB and Redis where they are missing (Debian, Ubuntu), and for tests the
# model checker spin with the compiler that it needs, and Python for a foreign monolith. The packages' own services are not
# started: the project runs servers of its own.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

missing=()
{ has mariadbd && has mariadb-install-db && has mariadb; } || missing+=(mariadb-server)
{ has redis-server && has redis-cli; } || missing+=(redis-server)
has curl || missing+=(curl)
if [ "${LOCAL_TESTS:-}" = yes ]; then
    { has spin && has cc; } || missing+=(spin gcc libc6-dev)
    has python3 || missing+=(python3)
fi
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

by_hand="or name servers that run already: BANYAN_TEST_MYSQL_DSN='user:password@tcp(host:3306)/', BANYAN_TEST_REDIS_ADDR=host:6379"
has apt-get || fail "please install ${missing[*]} with this system's package manager (on a Mac: brew install mariadb redis), $by_hand"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    has sudo || fail "not root, and no sudo: please have 'apt-get install ${missing[*]}' run, $by_hand"
    sudo -n true 2>/dev/null || [ -t 0 ] ||
        fail "root is needed and sudo asks for a password: please run 'sudo apt-get install ${missing[*]}', $by_hand"
    as_root=(sudo)
fi
run() { ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive "$@"; }

# Debian asks this file before it starts a service: 101 forbids it.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | run tee "$policy" >/dev/null
    run chmod +x "$policy"
    trap 'run rm -f "$policy"' EXIT
fi

say "Installing ${missing[*]} …"
log=$(mktemp)
install() { run apt-get install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1; }
# The list of packages may be old, or not there at all.
install || { run apt-get update >"$log" 2>&1 && install; } || {
    tail -n 20 "$log" >&2
    fail "apt-get install ${missing[*]} failed; its output is $log"
}
rm -f "$log"
