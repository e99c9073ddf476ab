#!/usr/bin/env bash
# test.sh [go test arguments…]: runs the tests with a private MariaDB and Redis, on free
# ports and in a folder of their own, and removes both. BANYAN_TEST_MYSQL_DSN and
# BANYAN_TEST_REDIS_ADDR name servers to use instead. With CI set a skipped test fails
# the run unless skips.txt allows it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

runs=$LOCAL_DIR
export LOCAL_DIR=$runs/test-$$ LOCAL_TESTS=yes
results=$runs/test-results.json
tests=''
own=no

clean() {
    local code=$?
    trap '' INT TERM HUP
    trap - EXIT
    if [ -n "$tests" ] && kill -0 "$tests" 2>/dev/null; then
        kill -TERM -- "-$tests" 2>/dev/null || true
        for _ in {1..100}; do kill -0 "$tests" 2>/dev/null && sleep 0.1 || break; done
        kill -KILL -- "-$tests" 2>/dev/null || true
    fi
    if [ "$own" = yes ]; then "$ROOT/deploy/local/servers.sh" stop >/dev/null || true; fi
    rm -rf "$LOCAL_DIR"
    exit "$code"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# sweep removes what runs that were killed have left behind.
sweep() {
    local left
    for left in "$runs"/test-[0-9]*; do
        if [ -d "$left" ] && ! kill -0 "${left##*-}" 2>/dev/null; then
            LOCAL_DIR=$left "$ROOT/deploy/local/servers.sh" stop >/dev/null || true
            rm -rf "$left"
        fi
    done
}

servers() {
    if [ -n "${BANYAN_TEST_MYSQL_DSN:-}" ] && [ -n "${BANYAN_TEST_REDIS_ADDR:-}" ]; then return; fi
    deploy/local/install.sh
    # From a place of its own for each run, so that two runs at once do not meet.
    LOCAL_MYSQL_PORT=$(free_port $((20000 + $$ % 5000)))
    LOCAL_REDIS_PORT=$(free_port $((26000 + $$ % 5000)))
    own=yes
    deploy/local/servers.sh start
    if [ -z "${BANYAN_TEST_MYSQL_DSN:-}" ]; then BANYAN_TEST_MYSQL_DSN=$(cat "$LOCAL_DIR/secrets/dsn-tests"); fi
    if [ -z "${BANYAN_TEST_REDIS_ADDR:-}" ]; then BANYAN_TEST_REDIS_ADDR=127.0.0.1:$LOCAL_REDIS_PORT; fi
}

count() { grep -cE "\"Action\":\"$1\".*\"Test\":" "$results" || true; }

# unexpected_skips prints the skipped tests that skips.txt does not name.
unexpected_skips() {
    grep -E '"Action":"skip".*"Test":' "$results" |
        sed -E 's/.*"Package":"([^"]+)".*"Test":"([^"]+)".*/\1.\2/' |
        grep -vxF -f <(sed -E '/^(#|$)/d; s/[[:space:]].*//' deploy/local/skips.txt) || true
}

mkdir -p "$runs"
rm -f "$runs/test-summary" "$results"
sweep
gotestsum=$(deploy/local/tool.sh gotestsum)
servers
export LOCAL_MYSQL_PORT LOCAL_REDIS_PORT BANYAN_TEST_MYSQL_DSN BANYAN_TEST_REDIS_ADDR
if [ $# -eq 0 ]; then set -- ./...; fi

# In a process group of its own: an interrupt reaches this script, which then ends all
# of it. A test that talks to a server is no function of its sources, so -count=1.
set -m
"$gotestsum" --format "${TEST_FORMAT:-pkgname}" --hide-summary=skipped --jsonfile "$results" -- -count=1 -timeout 15m "$@" &
tests=$!
set +m
code=0
wait "$tests" || code=$?

skips=$(unexpected_skips)
if [ -n "$skips" ]; then
    say '' 'Skipped, so not proven:' "$skips"
    if [ -n "${CI:-}" ] && [ "$code" -eq 0 ]; then
        say 'With CI set a skip is a failure, unless deploy/local/skips.txt names it with a reason.'
        code=1
    fi
fi
say ''
if [ "$(count pass)" -eq 0 ] && [ "$code" -eq 0 ]; then
    say 'No test ran.'
    code=1
fi
say "$(count pass) passed, $(count fail) failed, $(count skip) skipped" | tee "$runs/test-summary"
exit "$code"
