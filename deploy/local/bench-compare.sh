#!/usr/bin/env bash
# bench-compare.sh: runs benchmarks of an older revision and of the working tree in turns,
# for what a machine does at one moment it may not do at the next, and compares the two
# with benchstat. BASE is the revision (HEAD), BENCH the benchmarks (Hold), TURNS how many
# turns each has (6: benchstat wants no fewer). What they printed stays in .local/compare.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"
base=${BASE:-HEAD} bench=${BENCH:-Hold} turns=${TURNS:-6}
[[ $turns =~ ^[1-9][0-9]?$ ]] || fail "TURNS=$turns is not 1 to 99"
git rev-parse --quiet --verify "$base^{commit}" >/dev/null || fail "BASE=$base is no revision"
benchstat=$(deploy/local/tool.sh benchstat)
deploy/local/install.sh

out=$LOCAL_DIR/compare
rm -rf "$out"
mkdir -p "$out"
tree=$out/tree
git worktree prune
git worktree add --quiet --detach "$tree" "$base"
trap 'git worktree remove --force "$tree"' EXIT
(cd "$tree" && go test -c -o "$out/base.test" ./deploy/bench)
go test -c -o "$out/now.test" ./deploy/bench

# turn SIDE FOLDER runs the benchmarks once; their paths start at the folder.
turn() {
    (cd "$2/deploy/bench" && "$out/$1.test" -test.run '^$' -test.bench "$bench" -test.benchtime 1x -test.timeout 60m) >>"$out/$1" || {
        tail -n 20 "$out/$1" >&2
        fail "the benchmarks of $1 failed"
    }
    grep -q '^Benchmark' "$out/$1" || fail "no benchmark of $1 is called $bench"
}

for ((i = 1; i <= turns; i++)); do
    say "turn $i of $turns" >&2
    turn base "$tree"
    turn now "$ROOT"
done
# Only the results: the table's lines are for people.
for side in base now; do grep -E '^(goos|goarch|pkg|cpu):|^Benchmark.*[[:space:]]1[[:space:]]' "$out/$side" >"$out/$side.txt"; done
"$benchstat" "base=$out/base.txt" "now=$out/now.txt"
