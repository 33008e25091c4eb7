#!/usr/bin/env bash
# `make demo`: plays the shipped capture through the Verilated design and prints what came out of every port.
cd "$(dirname "$0")/.."
source tools/common.sh

tools/setup.sh simulate
cargo build --release --locked --bin hematite
"${CARGO_TARGET_DIR:-target}/release/hematite" run --config small --scenario testbench/data/lan.toml --out out/
