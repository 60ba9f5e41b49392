# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures mirroring beside its peers, in turns, and prints one line for each measure, then every figure.

    python benchmarks/mirror.py [--quick] [--only MEASURE ...] [--directory DIR] [--repositories DIR]

The repositories are made once (see repositories.py) and served by nginx on the loopback interface. Every run
has a new file system (see fresh_disk.py). `curl16` fetches exactly the files of the mirror, known beforehand,
on 16 connections: what network and disk allow. Ratios to it are taken round by round. Root is needed for the
file systems; peers that are not installed are left out.
"""

import argparse
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import program
from content_server import ContentServer
from fresh_disk import FreshDisk
from measuring import Patience
from mirroring import MEASURES, Bench, Effort, Measure, warm_up
from races import Course, figures
from repositories import Shape
from table import Row, facts

FULL = Effort(
    small=Shape("deb2k", "deb", 2_000),
    large=Shape("deb20k", "deb", 20_000),
    main=Shape("debmain", "deb", 0, median=0),
    rpm=Shape("rpm2k", "rpm", 2_000),
    rounds=5,
    rounds_of_main=1,
    disk=20,
)
_FEW = Shape("quick-deb", "deb", 60, median=2_000, invented=200)
QUICK = Effort(
    small=_FEW,
    large=replace(_FEW, name="quick-large", count=120),
    main=replace(_FEW, name="quick-main", count=0, median=0),
    rpm=replace(_FEW, name="quick-rpm", kind="rpm"),
    rounds=1,
    rounds_of_main=1,
    disk=1,
)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # nothing stays mounted, nothing runs on
    options = _parse_options()
    effort = QUICK if options.quick else FULL
    if options.rounds:
        effort = replace(effort, rounds=options.rounds)
    options.repositories.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="orchestrator-benchmark-", dir=options.directory) as name:
        directory = Path(name)
        (directory / "home").mkdir()
        print(*facts(directory.parent), sep="\n")
        with (
            FreshDisk(directory, effort.disk, real=not options.quick) as disk,
            ContentServer(options.repositories.resolve(), directory / "server") as server,
        ):
            print(disk)
            course = Course(server, disk, directory / "home", directory, Patience(options.patience))
            bench = Bench(effort, course, options.repositories)
            warm_up(bench)

            def take(measure: Measure, patience: Patience) -> list[Row]:
                bench.course = replace(course, patience=patience)
                return list(measure(bench))

            rows, failed = program.run(MEASURES, options, take)
    program.show(rows, quick=options.quick)
    for result in bench.races:
        print("", *figures(result), sep="\n")
    return int(failed)


def _parse_options() -> argparse.Namespace:
    parser = program.parser(
        __doc__,
        MEASURES,
        quick="invented packages, few of them, once",
        directory="where the file systems are",
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each contender runs (5)")
    parser.add_argument("--repositories", type=Path, default=Path("/var/tmp/orchestrator-benchmark-repositories"),
                        metavar="DIR", help="where repositories are made and kept (%(default)s)")  # fmt: skip
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
