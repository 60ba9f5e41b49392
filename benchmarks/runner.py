# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the upgrade runner beside its peers and print one table.

    runner.py                       all of it; ten minutes on two quiet processors
    runner.py --only steps          one measure: steps, pending, plan, downtime, memory
    runner.py --quick               every measure once and small: does it work at all?

Figures are medians; what is compared is run in turns. `docs/benchmarks.md` says what each line means.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import downtime
import memory
import startup
import steps
from measuring import Patience, quietness
from product import Product
from table import Row, facts, table


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured."""

    scripts: int = 1000
    planned_scripts: int = 2000
    runs: int = 7
    short_runs: int = 25
    upgrades: int = 5
    flood: int = 1 << 30
    load_seconds: float = 3.0
    books: int = 5000


QUICK = Effort(
    scripts=20,
    planned_scripts=50,
    runs=1,
    short_runs=2,
    upgrades=1,
    flood=1 << 22,
    load_seconds=0.3,
    books=500,
)
Measure = Callable[[Product, Effort, Patience], list[Row]]
MEASURES: Mapping[str, Measure] = {
    "steps": lambda product, effort, patience: steps.measure(
        product, count=effort.scripts, times=effort.runs, patience=patience
    ),
    "pending": lambda product, effort, patience: startup.pending(
        product, times=effort.short_runs, patience=patience
    ),
    "plan": lambda product, effort, patience: startup.plan(
        product, count=effort.planned_scripts, times=effort.runs, patience=patience
    ),
    "downtime": lambda product, effort, patience: downtime.measure(
        product,
        books=effort.books,
        load_seconds=effort.load_seconds,
        times=effort.upgrades,
        patience=patience,
    ),
    "memory": lambda product, effort, _: memory.measure(product, size=effort.flood),
}


def main() -> int:
    options = _parse_options()
    effort = QUICK if options.quick else Effort()
    rows: list[Row] = []
    failed = False
    with tempfile.TemporaryDirectory(prefix="orchestrator-benchmark-", dir=options.directory) as name:
        directory = Path(name)
        directory.chmod(0o755)  # the demo's services run as a user of their own
        (directory / "home").mkdir()
        print(*facts(directory.parent), sep="\n")
        for measure in options.only or MEASURES:
            patience = Patience(options.patience)
            print(f"{measure}: ", end="", file=sys.stderr, flush=True)
            try:
                rows += MEASURES[measure](Product(directory / measure, directory / "home"), effort, patience)
            except (RuntimeError, OSError) as error:
                rows.append(Row(f"{measure}: failed", str(error).strip().splitlines()[-1]))
                failed = True
            print(quietness(patience), file=sys.stderr, flush=True)
    if options.quick:
        rows = [replace(row, reached=None) for row in rows]
    print("--quick: small numbers, once; the figures mean nothing" if options.quick else "medians")
    print("", *table(rows), sep="\n")
    return int(failed)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small numbers, once")
    parser.add_argument(
        "--only", action="append", choices=MEASURES, metavar="MEASURE", help="may be repeated"
    )
    parser.add_argument("--directory", default="/var/tmp", help="on the file system to measure (%(default)s)")
    parser.add_argument("--patience", type=float, default=0.0, metavar="SECONDS",
                        help="how long each measure may wait for quiet moments, all together")  # fmt: skip
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
