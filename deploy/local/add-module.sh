#!/usr/bin/env bash
# add-module.sh NAME: a new context of the shape that all have, with a contract, a local
# and an HTTP implementation, a contract suite, a store and migrations. It builds and
# passes its tests at once.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

name=${1:-}
[[ $name =~ ^[a-z]{2,24}$ ]] || fail "usage: make add-module NAME=loyalty, of 2 to 24 lower-case letters"
# Names that the generated Go could not use beside what it imports and declares.
case " break case chan const continue default defer else fallthrough for func go goto if import interface map package \
range return select struct switch type var context dbtest embed errors errs http httptest kernel main migrations mux \
openapi rest sql sqldb store strings sync testing unicode utf web api svc " in
*" $name "*) fail "a context cannot be called $name: Go, or the code of every context, uses the word" ;;
esac
for dir in "modules/$name" "migrations/$name"; do
    if [ -e "$dir" ]; then fail "$dir is there already"; fi
done

template=deploy/local/module
while IFS= read -r file; do
    target=${file#"$template"/}
    target=${target%.tmpl}
    target=${target//NAME/$name}
    mkdir -p "$(dirname "$target")"
    sed "s/NAME/$name/g" "$file" >"$target"
    say "$target"
done < <(find "$template" -type f -name '*.tmpl' | sort)
gofmt -w "modules/$name" "migrations/$name" # the order of imports depends on the name

say '' "It builds and passes its tests: make test PKG=./modules/$name/..." \
    'Left to do:' \
    "  say in modules/$name/$name.go what it is about, and replace the entries" \
    '  app/data.go: open its schema        app/wire.go: make it and mount it' \
    "  docs/architecture.md: one sentence  extracted/$name: when it is to leave"
