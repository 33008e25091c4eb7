"""Finds what a Markdown file points at and is not there: files, headings, chapters of the book without a place in it.

Run it from the root of the repository. Links to other hosts are not followed: checks need no network.
"""

import pathlib
import re
import subprocess
import sys
import urllib.parse

LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)


def prose(path: pathlib.Path) -> str:
    return FENCE.sub("", path.read_text())


def anchors(path: pathlib.Path) -> set[str]:
    """The identifiers that mdBook and code hosts give to headings."""
    found: dict[str, int] = {}
    result = set()
    for heading in HEADING.findall(prose(path)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        repeated = found.get(name, 0)
        found[name] = repeated + 1
        result.add(f"{name}-{repeated}" if repeated else name)
    return result


def check(path: pathlib.Path) -> list[str]:
    problems = []
    for target in LINK.findall(CODE.sub("", prose(path))):
        link = urllib.parse.urlsplit(target)
        if link.scheme or link.netloc:
            continue
        file = path.parent / urllib.parse.unquote(link.path) if link.path else path
        if not file.exists():
            problems.append(f"{path}: {target}: no such file")
        elif link.fragment and file.suffix == ".md" and link.fragment not in anchors(file):
            problems.append(f"{path}: {target}: no such heading")
    return problems


def unlisted(summary: pathlib.Path) -> list[str]:
    """Chapters that the book's table of contents does not know are chapters that nobody finds."""
    listed = {(summary.parent / target).resolve() for target in LINK.findall(summary.read_text())} | {summary.resolve()}
    chapters = sorted(summary.parent.rglob("*.md"))
    return [f"{summary}: {path} is not listed" for path in chapters if path.resolve() not in listed]


def main() -> int:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
    paths = [pathlib.Path(name) for name in names if name and pathlib.Path(name).is_file()]
    problems = [problem for path in paths for problem in check(path)]
    problems += [problem for path in paths if path.name == "SUMMARY.md" for problem in unlisted(path)]
    print("\n".join(problems) if problems else f"{len(paths)} Markdown files, no dead link")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
