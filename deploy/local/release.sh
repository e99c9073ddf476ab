#!/usr/bin/env bash
# release.sh: builds the programs for each of PLATFORMS into dist/, an archive each, with
# their checksums. The same commit makes the same bytes wherever it is built with the same
# Go, tar and gzip. What is not committed is not released.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"
platforms=${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64}
[ -z "$(git status --porcelain)" ] || fail "the working tree has changes: commit them, for a release is a commit's"
known=$(go tool dist list)
for platform in $platforms; do
    grep -qxF "$platform" <<<"$known" || fail "PLATFORMS: Go knows no $platform; see go tool dist list"
done

version=$(git describe --tags --always --abbrev=12)
moment=$(git log -1 --format=%cI)
rm -rf dist
mkdir dist
for platform in $platforms; do
    name=banyan-$version-${platform/\//-}
    say "$name"
    mkdir "dist/$name"
    for program in banyan=./app banyan-flights=./extracted/flights banyan-reservations=./extracted/reservations; do
        CGO_ENABLED=0 GOOS=${platform%/*} GOARCH=${platform#*/} \
            go build -trimpath -buildvcs=true -ldflags '-s -w' -o "dist/$name/${program%%=*}" "${program#*=}"
    done
    cp README.md LICENSE "dist/$name/"
    # Owners, times and order of the files say nothing.
    tar --sort=name --owner=0 --group=0 --numeric-owner --mode=u+w,go-w --mtime="$moment" -C dist -cf - "$name" |
        gzip -n -9 >"dist/$name.tar.gz"
    rm -r "dist/$name"
done
(cd dist && sha256sum ./*.tar.gz >SHA256SUMS && cat SHA256SUMS)
