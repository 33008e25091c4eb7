#!/usr/bin/env bash
# The documentation: rustdoc without a warning, and no link in a Markdown file that leads nowhere.
cd "$(dirname "$0")/.."
source tools/common.sh

# Links to private items help those who read the source; in the pages they are plain text.
RUSTDOCFLAGS="--deny warnings --allow rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --locked --quiet
"$VENV/bin/python" tools/links.py
