#!/usr/bin/env python3
"""The test plan: writes its page, and checks that each of its tests has run.

    tools/plan.py --write      makes docs/src/test-plan.md of testbench/plan.toml
    tools/plan.py LOG          checks the page, and each test against what `cargo test` printed
"""

import re
import sys
import tomllib
from pathlib import Path

PLAN = Path("testbench/plan.toml")
PAGE = Path("docs/src/test-plan.md")


def page(plan: dict) -> str:
    lines = ["# Test plan", "", f"Made by `tools/plan.py --write` of `{PLAN}`; `make test` checks that every test has run."]
    for part in plan["part"]:
        lines += ["", f"## {part['name']}", "", part["text"], "", "| feature | tests | status |", "|---|---|---|"]
        for feature in part["feature"]:
            tests = ", ".join(f"`{test}`" for test in feature.get("tests", []))
            lines.append(f"| {feature['name']} | {tests} | {feature.get('status', 'done')} |")
    return "\n".join(lines) + "\n"


def check(plan: dict, log: str) -> list[str]:
    """What is wrong, a line each."""
    passed = set(re.findall(r"^test (\S+).* \.\.\. ok$", log, re.MULTILINE))
    wrong = []
    for part in plan["part"]:
        for feature in part["feature"]:
            tests = feature.get("tests", [])
            if not tests and not feature.get("status", "done").startswith("open"):
                wrong.append(f"`{feature['name']}` is done by no test")
            for test in tests:
                if not any(name == test or name.endswith("::" + test) for name in passed):
                    wrong.append(f"`{test}` of `{feature['name']}` has not passed")
    return wrong


def main() -> int:
    plan = tomllib.loads(PLAN.read_text())
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(plan))
        return 0
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    wrong = check(plan, Path(sys.argv[1]).read_text(errors="replace"))
    if not PAGE.exists() or PAGE.read_text() != page(plan):
        wrong.append(f"{PAGE} is not what the plan says: run tools/plan.py --write")
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    features = [feature for part in plan["part"] for feature in part["feature"]]
    done = sum(feature.get("status", "done") == "done" for feature in features)
    print(f"{len(features)} features, {done} done")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
