# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the upgrade runner beside its peers and print one table.

    runner.py                       all of it; ten minutes on two quiet processors
    runner.py --only steps          one measure: steps, pending, plan, downtime, memory
    runner.py --quick               every measure once and small: does it work at all?

Figures are medians; what is compared is run in turns. `docs/benchmarks.md` says what each line means.
"""

import itertools
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import downtime
import memory
import program
import startup
import steps
from measuring import Patience
from product import Product
from table import Row, facts


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
    parser = program.parser(
        __doc__, MEASURES, quick="small numbers, once", directory="on the file system to measure"
    )
    options = parser.parse_args()
    effort = QUICK if options.quick else Effort()
    with tempfile.TemporaryDirectory(prefix="orchestrator-benchmark-", dir=options.directory) as name:
        directory = Path(name)
        directory.chmod(0o755)  # the demo's services run as a user of their own
        (directory / "home").mkdir()
        print(*facts(directory.parent), sep="\n")
        places = (Product(directory / str(number), directory / "home") for number in itertools.count())
        rows, failed = program.run(
            MEASURES, options, lambda measure, patience: measure(next(places), effort, patience)
        )
    program.show(rows, quick=options.quick)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
