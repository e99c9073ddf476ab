#!/usr/bin/env bash
# down.sh [SERVICE…]: stops the programs named, or all of them with MariaDB and Redis.
# Requests under way are answered first; the data stays.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/services.sh"
cd "$ROOT"

names=$(chosen "$@")
for name in banyan reservations flights; do # the router first: nothing is sent to what is gone
    case " $names " in *" $name "*) stop_process "$name" 25 ;; esac
done
if [ $# -eq 0 ]; then deploy/local/servers.sh stop; fi
