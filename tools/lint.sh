#!/usr/bin/env bash
# Exports the adapter, which has every part, in every named configuration, twice, and runs every linter over them. Arguments go to `cargo run`.
cd "$(dirname "$0")/.."
source tools/common.sh

out=${CARGO_TARGET_DIR:-target}/export
rm -rf "$out"
for config in small x3100 wide; do
  for copy in once again; do
    cargo run --quiet --locked --bin hematite "$@" -- export --config "$config" --out "$out/$copy/$config"
  done
done
diff --recursive "$out/once" "$out/again" || fail "two exports of one configuration differ."
"$VENV/bin/python" tools/lint.py "$out"/once/*
