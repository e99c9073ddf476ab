#!/usr/bin/env bash
# add-module-check.sh: makes a context in a copy of the sources; it must build, pass its
# tests, the architecture test and the linter, and be refused under a bad name.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

linter=$(deploy/local/tool.sh golangci-lint)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z | while IFS= read -r -d '' file; do if [ -e "$file" ]; then printf '%s\0' "$file"; fi; done |
    tar --null --files-from=- -cf - | tar -xf - -C "$copy"
cd "$copy"
for name in '' kernel flights Loyalty a/b context; do
    if make -s add-module NAME="$name" >/dev/null 2>&1; then fail "the name '$name' was accepted"; fi
done
make -s add-module NAME=loyalty >/dev/null
go test -count=1 ./modules/loyalty/...
if make -s add-module NAME=loyalty >/dev/null 2>&1; then fail 'a context was overwritten'; fi
# Imports are sorted by the name: try both ends of the alphabet.
for name in aa zz; do
    make -s add-module NAME="$name" >/dev/null
    go vet "./modules/$name/..." "./migrations/$name"
done
make -s add-migration CONTEXT=loyalty NAME=add_points >/dev/null
test -f migrations/loyalty/00002_add_points.sql || fail 'add-migration made no second file'
go test -count=1 ./app/internal/arch
"$linter" run --allow-parallel-runners ./modules/loyalty/... ./migrations/loyalty
