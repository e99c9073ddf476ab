#!/usr/bin/env bash
# tool.sh NAME: installs a tool of the pinned version below into .tools/bin, once, and
# prints its path. Tools stay out of go.mod.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case ${1:-} in
gotestsum) module=gotest.tools/gotestsum version=v1.13.0 ;;
golangci-lint) module=github.com/golangci/golangci-lint/v2/cmd/golangci-lint version=v2.6.2 ;;
benchstat) module=golang.org/x/perf/cmd/benchstat version=v0.0.0-20260908200009-22c9c6c9d4da ;;
*) fail "usage: tool.sh gotestsum|golangci-lint|benchstat" ;;
esac
# Of the same Go as the sources: a linter built with an older one refuses them.
dir=$ROOT/.tools/$1-$version-$(go env GOVERSION)
if [ ! -x "$dir/$1" ]; then
    say "Installing $1 $version …" >&2
    GOBIN=$dir GOFLAGS='' go install "$module@$version" >&2
    mkdir -p "$ROOT/.tools/bin"
    ln -sf "$dir/$1" "$ROOT/.tools/bin/$1"
fi
say "$dir/$1"
