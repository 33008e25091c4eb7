#!/usr/bin/env bash
# `make test`: every check there is, each even if another one failed, with the time that each took.
cd "$(dirname "$0")/.."
source tools/common.sh

log=$(mktemp)
trap 'rm -f "$log"' EXIT
names=() times=() verdicts=() failures=0

# phase NAME COMMAND..
phase() {
  local start=$SECONDS verdict=passed
  say "$1"
  "${@:2}" 2>&1 | tee -a "$log" || verdict=FAILED
  [ $verdict = passed ] || failures=$((failures + 1))
  names+=("$1") times+=($((SECONDS - start))) verdicts+=("$verdict")
}

phase "set-up" tools/setup.sh test
[ $failures -eq 0 ] || exit 1
phase "format" cargo fmt --all --check
phase "scripts" shellcheck --external-sources tools/*.sh .ci/run
phase "clippy" cargo clippy --workspace --all-targets --all-features --locked --quiet -- --deny warnings
phase "tests" cargo test --workspace --all-features --locked --no-fail-fast
phase "test plan" "$VENV/bin/python" tools/plan.py "$log"
phase "linters" "$VENV/bin/python" tools/lint_test.py
phase "export and lint" tools/lint.sh --all-features
phase "documentation" tools/docs.sh

say "time"
for index in "${!names[@]}"; do
  printf '%-16s %-7s %5d s\n' "${names[index]}" "${verdicts[index]}" "${times[index]}"
done
printf '%-16s %-7s %5d s\n\n' total "" $SECONDS

# The tests that cargo counted, and one for every other phase.
count() { awk -v what="$1" '/^test result:/ { for (i = 2; i <= NF; i++) if ($i == what ";") n += $(i - 1) } END { print n + 0 }' "$log"; }
passed=$(($(count passed) + ${#names[@]} - failures))
failed=$(($(count failed) + failures))
echo "$passed passed, $failed failed"
[ $failures -eq 0 ]
