#!/usr/bin/env bash
# express.sh: installs what the foreign application in app/testdata/express stands on, of
# the versions in its package-lock.json, into .tools, once, and prints the folder. Exit
# code 3: npm is not there.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

has node && has npm || { printf 'npm is missing: install Node.js 20 or later with npm\n' >&2 && exit 3; }
from=$ROOT/app/testdata/express
sum=$(cat "$from/package.json" "$from/package-lock.json" | cksum | cut -d" " -f1)
dir=$ROOT/.tools/express-$sum
if [ ! -d "$dir/node_modules" ]; then
    say "Installing Express …" >&2
    mkdir -p "$ROOT/.tools"
    new=$(mktemp -d "$ROOT/.tools/express-new-XXXXXX")
    trap 'rm -rf "$new"' EXIT
    cp "$from/package.json" "$from/package-lock.json" "$new"
    # Nothing that a package brings along is run.
    (cd "$new" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2
    [ -d "$dir" ] || mv "$new" "$dir" # where another one was faster, its folder serves as well
fi
say "$dir/node_modules"
