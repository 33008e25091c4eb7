#!/usr/bin/env bash
# `make soak`: a million random frames through the Verilated bridge against its model, a million packets at the endpoint under
# load, a million among resets, a million mostly bad ones against its reference completer, and a
# million frames at the whole adapter among resets and faults, then the fuzzer with one new seed after the other for
# MINUTES (default 60), until something differs.
cd "$(dirname "$0")/.."
source tools/common.sh

minutes=${MINUTES:-60}
[[ $minutes =~ ^[1-9][0-9]*$ ]] || fail "MINUTES=$minutes is not a number of minutes."
first=${SEED:-$(date +%s)}
[[ $first =~ ^[0-9]+$ ]] || fail "SEED=$first is not a number."

cargo build --release --locked --package testbench
"${CARGO_TARGET_DIR:-target}/release/veb_soak" --seed "$first"
"${CARGO_TARGET_DIR:-target}/release/endpoint_soak" --seed "$first"
"${CARGO_TARGET_DIR:-target}/release/endpoint_soak" --storm --resets 10 --seed "$first"
"${CARGO_TARGET_DIR:-target}/release/tlp_fuzz" --seed "$first"
"${CARGO_TARGET_DIR:-target}/release/nic_soak" --seed "$first"
fuzz=${CARGO_TARGET_DIR:-target}/release/fuzz
for ((seed = first; SECONDS < minutes * 60; seed++)); do
  say "seed $seed, minute $((SECONDS / 60)) of $minutes"
  "$fuzz" --expressions 20000 --modules 200 --seed "$seed" || fail "seed $seed differs; again: SEED=$seed make soak"
done
