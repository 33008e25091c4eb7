#!/usr/bin/env bash
# The documentation: rustdoc without a warning, no link in a Markdown file that leads nowhere, and the book into docs/book
# where there is mdBook, which Debian does not have and takes minutes to compile: cargo install mdbook --version 0.4.52
cd "$(dirname "$0")/.."
source tools/common.sh

# Links to private items help those who read the source; in the pages they are plain text.
RUSTDOCFLAGS="--deny warnings --allow rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --locked --quiet
"$VENV/bin/python" tools/links.py
if command -v mdbook >/dev/null; then
  log=$(mdbook build docs 2>&1) || fail "mdbook cannot build the book:" "$log"
  ! grep -q WARN <<<"$log" || fail "mdbook warns:" "$log"
fi
