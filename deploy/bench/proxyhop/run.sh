#!/usr/bin/env bash
# Runs the benchmark of the proxied hop; installs wrk, nginx, HAProxy and Caddy first
# where they are missing (Debian, Ubuntu). Their own services are not started.
set -euo pipefail
cd "$(dirname "$0")/../../.."
. deploy/local/lib.sh

missing=()
for program in wrk nginx haproxy caddy; do has "$program" || missing+=("$program"); done
if [ ${#missing[@]} -gt 0 ]; then
    has apt-get || fail "please install ${missing[*]} with this system's package manager"
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        has sudo || fail "not root, and no sudo: please have 'apt-get install ${missing[*]}' run"
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
    install() { run apt-get install -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1; }
    install || { run apt-get update >/dev/null && install; } || fail "apt-get install ${missing[*]} failed"
fi
ulimit -n 20000 2>/dev/null || say "the limit of open files stays at $(ulimit -n): the memory part needs 12000"
mkdir -p bin
go build -o bin/bench-proxy ./deploy/bench/proxyhop
bin/bench-proxy "$@"
