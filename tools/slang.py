"""The slang command line, which PyPI ships as a library only: `slang.py OPTION.. FILE..`."""

import shlex
import sys

from pyslang import driver


def main() -> int:
    slang = driver.Driver()
    slang.addStandardArgs()
    command = shlex.join(["slang", *sys.argv[1:]])
    ready = slang.parseCommandLine(command) and slang.processOptions() and slang.parseAllSources()
    return 0 if ready and slang.runFullCompilation() else 1


if __name__ == "__main__":
    sys.exit(main())
