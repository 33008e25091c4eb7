#!/usr/bin/env bash
# The documentation: rustdoc without a warning, and no link in a Markdown file that leads nowhere.
cd "$(dirname "$0")/.."
source tools/common.sh

RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --locked --quiet
"$VENV/bin/python" tools/links.py
