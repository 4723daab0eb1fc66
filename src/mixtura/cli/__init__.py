"""The command line: ``mixtura fit``, ``select``, ``predict``, ``score``, ``impute``, ``sample`` and others.

Data go to standard output, progress and messages to standard error. Exit codes:
0 done, 1 failed, 2 usage, 3 did not converge (results are written), 130
interrupted, 143 terminated.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line, or say how to install it."""
    try:
        from mixtura.cli.commands import application
    except KeyboardInterrupt:
        sys.exit(130)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("typer", "rich"):
            raise
        print('mixtura: error: the command line needs typer and rich: pip install "mixtura[cli]"', file=sys.stderr)
        sys.exit(1)
    application(prog_name="mixtura")
