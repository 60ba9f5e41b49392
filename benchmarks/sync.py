# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures export and import beside cp, tar and sha256sum, in turns, and prints one line for each measure.

    python benchmarks/sync.py [--quick] [--only MEASURE ...] [--directory DIR] [--rounds N]

Two contents, made once and kept in the directory: 20,000 packages of 2 GB (`tar`, `tgz`, `iso`, `import`, `dir`,
`unchanged`), and 60,000 small ones (`memory`). Everything is on the file system of the directory; what a run has
written is removed after it, and that is on the disk before the next begins. Ours waits for the disk before it says
that it is done; the peers' commands do not, so each is also run with a sync at its end.
"""

import signal
import sys
import tempfile
from pathlib import Path

import program
from measuring import Patience
from syncing import FULL, MEASURES, QUICK, Bench, Measure, figures
from table import Row, facts


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = program.parser(
        __doc__,
        MEASURES,
        quick="little content, once: whether it works at all",
        directory="where everything is done: the file system that is measured",
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each contender runs (5)")
    options = parser.parse_args()
    effort = QUICK if options.quick else FULL
    keep = Path(options.directory) / "orchestrator-benchmark-content"
    with tempfile.TemporaryDirectory(prefix="orchestrator-benchmark-", dir=options.directory) as name:
        directory = Path(name)
        (directory / "home").mkdir()
        print(*facts(directory.parent), sep="\n")
        content = directory / "content" if options.quick else keep
        bench = Bench(effort, directory, content, options.rounds or effort.rounds)

        def take(measure: Measure, patience: Patience) -> list[Row]:
            bench.patience = patience
            return list(measure(bench))

        rows, failed = program.run(MEASURES, options, take)
    program.show(rows, quick=options.quick)
    for result in bench.results:
        print("", *figures(result), sep="\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
