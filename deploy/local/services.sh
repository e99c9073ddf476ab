# shellcheck shell=bash
# The three programs of `make up`. Read by up.sh, down.sh and logs.sh, not run.

SERVICES="flights reservations banyan" # in the order in which they start

# address NAME prints where a program listens; routes.yaml says the same.
address() {
    case $1 in
    banyan) say 127.0.0.1:8080 ;;
    flights) say 127.0.0.1:8081 ;;
    reservations) say 127.0.0.1:8082 ;;
    esac
}

# chosen NAMES… prints the programs meant: those named, or all.
chosen() {
    local name
    for name in "$@"; do
        [ -n "$(address "$name")" ] || fail "there is no service $name; there are: $SERVICES"
    done
    say "${*:-$SERVICES}"
}

# launch NAME starts a program. STORES=own gives the extracted ones stores of their own.
launch() {
    local dsn=$LOCAL_DIR/secrets/dsn own=''
    if [ "${STORES:-shared}" = own ]; then own=-own; fi
    case $1$own in
    banyan*) start_process banyan "$ROOT/bin/banyan" serve --listen "$(address banyan)" --mysql-dsn-file "$dsn-banyan" \
        --routes "$ROOT/deploy/local/routes$own.yaml" --sample-data ;;
    flights) start_process flights "$ROOT/bin/banyan-flights" --listen "$(address flights)" --mysql-dsn-file "$dsn-flights" ;;
    flights-own) start_process flights "$ROOT/bin/banyan-flights" --listen "$(address flights)" --mysql-dsn-file "$dsn-flights-own" \
        --home-url "http://$(address banyan)" ;;
    reservations) start_process reservations "$ROOT/bin/banyan-reservations" --listen "$(address reservations)" \
        --mysql-dsn-file "$dsn-reservations" ;;
    reservations-own) start_process reservations "$ROOT/bin/banyan-reservations" --listen "$(address reservations)" \
        --redis-addr "127.0.0.1:$LOCAL_REDIS_PORT" --flights-url "http://$(address banyan)" \
        --flights-away-url "http://$(address flights)" --router "http://$(address banyan)" ;;
    esac
}
