#!/usr/bin/env bash
# up.sh [SERVICE…]: MariaDB, Redis and the programs (all, or those named) as processes
# of their own. What runs already is left alone, unless it was built anew.
# STORES=own gives the extracted services stores of their own; see routes-own.yaml.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/services.sh"
cd "$ROOT"

case ${STORES:-shared} in shared | own) ;; *) fail "STORES=$STORES is neither shared nor own" ;; esac
names=$(chosen "$@")
deploy/local/install.sh
deploy/local/servers.sh start

healthy() { curl -fsS --max-time 2 "http://$(address "$1")/health"; }

# built_anew tells whether the program that runs is no longer the one in bin.
built_anew() { [ "$(readlink "/proc/$(pid_of "$1")/exe" 2>/dev/null | grep -c ' (deleted)$')" -gt 0 ]; }

for name in $names; do
    if pid_of "$name" >/dev/null && built_anew "$name"; then stop_process "$name" 25; fi
    if pid_of "$name" >/dev/null; then
        say "$name runs already"
        continue
    fi
    for port in $(address "$name" | cut -d: -f2) $([ "$name" != banyan ] || say 8090); do
        if listening "$port"; then fail "port $port, where $name should listen, is in use by another program: end that one first"; fi
    done
    launch "$name"
done
for name in $names; do
    wait_for "$name" 60 healthy "$name"
done

say ''
printf '%-14s %-8s %s\n' NAME PROCESS ADDRESS
printf '%-14s %-8s %s\n' mariadb "$(pid_of mariadb)" "127.0.0.1:$LOCAL_MYSQL_PORT" redis "$(pid_of redis)" "127.0.0.1:$LOCAL_REDIS_PORT"
for name in $names; do
    printf '%-14s %-8s %s\n' "$name" "$(pid_of "$name")" "http://$(address "$name")/docs"
done
example='flights-read 25% --reason "first callers"'
if [ "${STORES:-shared}" = own ]; then example='reservations 5% --reason "first flights"'; fi
if pid_of banyan >/dev/null; then
    printf '%-14s %-8s %s\n' 'banyan, admin' '' 'http://127.0.0.1:8090/admin/v1/routes'
    say '' 'Try:' \
        '  curl -s "http://127.0.0.1:8080/v1/flights?limit=1"' \
        '  bin/banyan routes list' \
        "  bin/banyan routes set-weight $example"
fi
say '' "Logs: make logs, or $LOCAL_DIR/log. Passwords: $LOCAL_DIR/secrets. Stop: make down." | sed "s|$ROOT/||g"
