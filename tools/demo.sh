#!/usr/bin/env bash
# `make demo`: plays the shipped capture and guests' traffic on the Verilated adapter, and prints what came out of every port.
cd "$(dirname "$0")/.."
source tools/common.sh

tools/setup.sh simulate
cargo build --release --locked --bin hematite
"${CARGO_TARGET_DIR:-target}/release/hematite" run --config small --scenario testbench/data/guests.toml --out out/
