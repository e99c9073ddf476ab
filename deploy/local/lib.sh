# shellcheck shell=bash
# What the scripts of this folder share. Read by them, not run.
# Everything of theirs is in $LOCAL_DIR: data/ run/ (process ids) log/ secrets/.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export ROOT
export LOCAL_DIR=${LOCAL_DIR:-$ROOT/.local}
export LOCAL_MYSQL_PORT=${LOCAL_MYSQL_PORT:-13306}
export LOCAL_REDIS_PORT=${LOCAL_REDIS_PORT:-16379}
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # Debian keeps servers there

say() { printf '%s\n' "$@"; } # one argument a line
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

folders() {
    mkdir -p "$LOCAL_DIR/data" "$LOCAL_DIR/run" "$LOCAL_DIR/log" "$LOCAL_DIR/secrets"
    chmod 700 "$LOCAL_DIR/secrets"
}

# secret NAME prints a password, made up at its first use and kept in a private file.
secret() {
    local file=$LOCAL_DIR/secrets/$1
    if [ ! -s "$file" ]; then
        (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$file.new" && mv "$file.new" "$file")
    fi
    cat "$file"
}

# private FILE TEXT writes a file that only this user may read.
private() { (umask 077 && rm -f "$1" && printf '%s' "$2" >"$1"); }

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port FROM prints the first port from FROM up that nobody listens on.
free_port() {
    local port
    for ((port = $1; port < $1 + 200; port++)); do
        if ! listening "$port"; then
            say "$port"
            return
        fi
    done
    fail "no free port between $1 and $port"
}

# pid_of NAME prints the process id of what start_process started, if it still runs.
# On Linux the program must be the same too: process ids are used again.
pid_of() {
    local file=$LOCAL_DIR/run/$1.pid pid program now
    [ -s "$file" ] || return 1
    { read -r pid && read -r program; } <"$file" || return 1
    kill -0 "$pid" 2>/dev/null || return 1
    if [ -d /proc/self ]; then
        now=$(readlink "/proc/$pid/exe" 2>/dev/null) || return 1
        [ "${now% (deleted)}" = "$program" ] || return 1
    fi
    say "$pid"
}

# start_process NAME PROGRAM ARGS… starts a program in the background, out of reach of
# the terminal's interrupts; its output goes to log/NAME.log.
start_process() {
    local name=$1 program apart=nohup
    program=$(command -v "$2") || fail "$2 is not there"
    shift 2
    if has setsid; then apart="nohup setsid"; fi
    $apart "$program" "$@" >>"$LOCAL_DIR/log/$name.log" 2>&1 </dev/null &
    printf '%s\n%s\n' "$!" "$(readlink -f "$program")" >"$LOCAL_DIR/run/$name.pid"
}

# stop_process NAME SECONDS asks for an end, and insists after that many seconds.
stop_process() {
    local name=$1 pid i
    if ! pid=$(pid_of "$name"); then
        rm -f "$LOCAL_DIR/run/$name.pid"
        return
    fi
    kill -TERM "$pid" 2>/dev/null || true
    for ((i = 0; i < $2 * 20; i++)); do
        pid_of "$name" >/dev/null || break
        sleep 0.05
    done
    if pid_of "$name" >/dev/null; then
        say "$name did not end within $2 s: killed"
        kill -KILL "$pid" 2>/dev/null || true
    fi
    rm -f "$LOCAL_DIR/run/$name.pid"
    say "$name stopped"
}

# wait_for NAME SECONDS COMMAND… repeats the command until it succeeds; gives up, and
# shows the log, when the process has ended or the time is over.
wait_for() {
    local name=$1 seconds=$2 i log=$LOCAL_DIR/log/$1.log
    shift 2
    for ((i = 0; i < seconds * 10; i++)); do
        if "$@" >/dev/null 2>&1; then return; fi
        # its first moments belong to the shell, not yet to the program
        if ((i > 10)) && ! pid_of "$name" >/dev/null; then break; fi
        sleep 0.1
    done
    tail -n 20 "$log" >&2
    fail "$name did not become ready; its log is $log"
}
