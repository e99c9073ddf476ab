#!/usr/bin/env bash
# add-migration.sh CONTEXT NAME: the next numbered migration of a context.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

context=${1:-} name=${2:-}
dir=$ROOT/migrations/$context
if [ -z "$context" ] || [ -z "$name" ] || ! [ -d "$dir" ]; then
    fail "usage: make add-migration CONTEXT=… NAME=add_gate, with one of the contexts $(cd "$ROOT/migrations" && printf '%s ' */ | tr -d /)"
fi
[[ $name =~ ^[a-z][a-z0-9_]*$ ]] || fail "the name $name must be of lower-case letters, digits and _"
last=$(cd "$dir" && printf '%s\n' [0-9]*.sql | sort | tail -n 1)
next=$(printf '%05d' $((10#${last%%_*} + 1)))
file=$dir/${next}_$name.sql
cat >"$file" <<SQL
-- One file for MySQL, MariaDB and SQLite. Expand first: a column that is added must do
-- without a value, one that is dropped must no longer be read by the release before.

-- +goose Up

-- +goose Down
SQL
say "${file#"$ROOT"/}"
