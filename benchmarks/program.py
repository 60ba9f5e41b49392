# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmark programs have in common: options, one measure after the other, the printed table.

options = parser(__doc__, MEASURES, directory="where everything is done").parse_args()
rows, failed = run(MEASURES, options, lambda measure, patience: measure(product, effort, patience))
show(rows, quick=options.quick)
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from textwrap import shorten
from typing import TypeVar

from measuring import Patience, quietness
from table import Row, table

Measure = TypeVar("Measure")


def parser(
    text: str | None, measures: Iterable[str], *, quick: str, directory: str
) -> argparse.ArgumentParser:
    """The options that all have: --quick, --only, --directory, --patience."""
    made = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help=quick)
    made.add_argument(
        "--only", action="append", choices=[*measures], metavar="MEASURE", help="may be repeated"
    )
    made.add_argument("--directory", default="/var/tmp", help=f"{directory} (%(default)s)")
    made.add_argument("--patience", type=float, default=0.0, metavar="SECONDS",
                      help="how long each measure may wait for quiet moments, all together")  # fmt: skip
    return made


def run(
    measures: Mapping[str, Measure],
    options: argparse.Namespace,
    take: Callable[[Measure, Patience], Iterable[Row]],
) -> tuple[list[Row], bool]:
    """The rows of every measure that was asked for, and whether one failed: then its row says why. How quiet the
    machine was goes to standard error."""
    rows: list[Row] = []
    failed = False
    for name in options.only or measures:
        patience = Patience(options.patience)
        print(f"{name}: ", end="", file=sys.stderr, flush=True)
        try:
            rows += take(measures[name], patience)
        except (RuntimeError, OSError) as error:
            rows.append(Row(f"{name}: failed", shorten(str(error).strip().splitlines()[-1], 120)))
            failed = True
        print(quietness(patience), file=sys.stderr, flush=True)
    return rows, failed


def show(rows: Sequence[Row], *, quick: bool) -> None:
    """The table. Small numbers are not held against what is to be reached."""
    if quick:
        rows = [replace(row, reached=None) for row in rows]
    print("--quick: small numbers, once; the figures mean nothing" if quick else "medians")
    print("", *table(rows), sep="\n")
