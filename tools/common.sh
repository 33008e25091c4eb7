# What every script here shares: source it from the root of the repository.
# shellcheck shell=bash

set -euo pipefail

VENV=$PWD/.venv
export PYTHONDONTWRITEBYTECODE=1
# YoWASP compiles its tools once, for more than a minute; keep the result with the tools it belongs to.
export YOWASP_CACHE_DIR=${YOWASP_CACHE_DIR:-$VENV/cache}

say() { printf '\n== %s\n' "$*"; }

# fail MESSAGE...: one line for each argument, then the end.
fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}
