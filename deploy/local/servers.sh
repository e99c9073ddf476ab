#!/usr/bin/env bash
# servers.sh start|stop|status|wipe: a private MariaDB and a private Redis on the
# loopback, for this project alone; an acknowledged write of either is on the disk.
# LOCAL_DIR (.local), LOCAL_MYSQL_PORT (13306) and LOCAL_REDIS_PORT (16379) move them.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

data=$LOCAL_DIR/data
socket=$LOCAL_DIR/run/mysql.sock
# A socket's path may have 107 characters.
if [ ${#socket} -gt 100 ]; then socket=${XDG_RUNTIME_DIR:-/var/run}/banyan-$LOCAL_MYSQL_PORT.sock; fi
me=$(id -un)

sql() { mariadb --no-defaults --socket="$socket" --user="$me" --connect-timeout=2 --batch --skip-column-names "$@"; }
redis() { redis-cli -h 127.0.0.1 -p "$LOCAL_REDIS_PORT" "$@"; }
redis_answers() { [ "$(redis ping)" = PONG ]; }

# taken PORT NAME VARIABLE fails when somebody else listens on the port.
taken() {
    if listening "$1"; then fail "port $1, where $2 should listen, is in use by another program; choose another one with $3=…"; fi
}

start_mariadb() {
    if pid_of mariadb >/dev/null; then return; fi
    taken "$LOCAL_MYSQL_PORT" MariaDB LOCAL_MYSQL_PORT
    if [ ! -d "$data/mariadb/mysql" ]; then
        rm -rf "$data/mariadb.new"
        mariadb-install-db --no-defaults --datadir="$data/mariadb.new" --tmpdir="$data" --user="$me" --skip-test-db --skip-name-resolve \
            --auth-root-authentication-method=socket --auth-root-socket-user="$me" >"$LOCAL_DIR/log/mariadb-install.log" 2>&1 ||
            fail "making MariaDB's data folder failed; see $LOCAL_DIR/log/mariadb-install.log"
        mv "$data/mariadb.new" "$data/mariadb"
    fi
    start_process mariadb mariadbd --no-defaults --user="$me" --datadir="$data/mariadb" --tmpdir="$data" --socket="$socket" \
        --pid-file="$data/mariadb/server.pid" --bind-address=127.0.0.1 --port="$LOCAL_MYSQL_PORT" --skip-name-resolve \
        --skip-log-bin --innodb-flush-log-at-trx-commit=1 --innodb-buffer-pool-size="${LOCAL_MYSQL_MEMORY:-256M}" \
        --max-connections=600 --character-set-server=utf8mb4
    wait_for mariadb 60 sql -e 'SELECT 1'
    grants
}

# grants gives every program its own user: the extracted services see one schema each.
# LOCAL_TESTS=yes adds one for tests.
grants() {
    local line
    {
        for line in 'banyan banyan\_%' 'flights banyan_flights' 'flights own_flights' \
            'reservations banyan_reservations'; do
            set -- "${line% *}" "${line#* }"
            say "CREATE USER IF NOT EXISTS '$1'@'127.0.0.1'; ALTER USER '$1'@'127.0.0.1' IDENTIFIED BY '$(secret "mysql-$1")';"
            say "GRANT ALL ON \`$2\`.* TO '$1'@'127.0.0.1';"
        done
        if [ "${LOCAL_TESTS:-}" = yes ]; then # schemas of their own, and users to try grants with
            say "CREATE USER IF NOT EXISTS tests@'127.0.0.1' IDENTIFIED BY '$(secret mysql-tests)';"
            say "GRANT ALL ON \`banyan\_test\_%\`.* TO tests@'127.0.0.1' WITH GRANT OPTION; GRANT SELECT ON mysql.db TO tests@'127.0.0.1'; GRANT CREATE USER, PROCESS ON *.* TO tests@'127.0.0.1';"
        fi
    } | sql || fail "MariaDB did not accept the users and grants"
    # A program takes the base and adds the context's name: banyan_flights.
    private "$LOCAL_DIR/secrets/dsn-banyan" "$(dsn banyan banyan)"
    private "$LOCAL_DIR/secrets/dsn-flights" "$(dsn flights banyan)"
    private "$LOCAL_DIR/secrets/dsn-flights-own" "$(dsn flights own)"
    private "$LOCAL_DIR/secrets/dsn-reservations" "$(dsn reservations banyan)"
    private "$LOCAL_DIR/secrets/dsn-tests" "$(dsn tests '')"
}

dsn() { printf '%s:%s@tcp(127.0.0.1:%s)/%s' "$1" "$(secret "mysql-$1")" "$LOCAL_MYSQL_PORT" "$2"; }

start_redis() {
    if pid_of redis >/dev/null; then return; fi
    taken "$LOCAL_REDIS_PORT" Redis LOCAL_REDIS_PORT
    mkdir -p "$data/redis"
    start_process redis redis-server --bind 127.0.0.1 --port "$LOCAL_REDIS_PORT" --dir "$data/redis" \
        --appendonly yes --appendfsync always --save '' --maxmemory-policy noeviction
    wait_for redis 30 redis_answers
}

status() {
    local name
    for name in mariadb redis; do
        if pid_of "$name" >/dev/null; then say "$name runs, process $(pid_of "$name")"; else say "$name is down"; fi
    done
}

case ${1:-} in
start)
    folders
    start_mariadb
    start_redis
    ;;
stop)
    stop_process redis 20
    stop_process mariadb 60
    ;;
status) status ;;
wipe)
    if pid_of mariadb >/dev/null || pid_of redis >/dev/null; then fail "the servers run: stop them first"; fi
    rm -rf "$data/mariadb" "$data/redis"
    ;;
*) fail "usage: servers.sh start|stop|status|wipe" ;;
esac
