#!/usr/bin/env bash
# logs.sh [NAME…]: follows the logs of the programs named (flights, reservations,
# banyan, mariadb, redis), or of all.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

files=()
for name in ${*:-banyan flights reservations mariadb redis}; do
    file=$LOCAL_DIR/log/$name.log
    if [ -f "$file" ]; then files+=("$file"); fi
done
[ ${#files[@]} -gt 0 ] || fail "no log yet: make up makes them"
exec tail -n 20 -F "${files[@]}"
