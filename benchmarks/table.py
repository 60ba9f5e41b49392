# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured where, as a Markdown table."""

import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from measuring import Sample, peak, processor, processors, ratio, wall

from orchestrator import __version__

COLUMNS = ("what", "orchestrator", "peer", "result", "to reach", "")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `reached` is None where there is nothing to reach."""

    what: str
    ours: str
    peer: str = ""
    result: str = ""
    to_reach: str = ""
    reached: bool | None = None

    def cells(self) -> tuple[str, ...]:
        verdict = {True: "reached", False: "missed", None: ""}[self.reached]
        return (self.what, self.ours, self.peer, self.result, self.to_reach, verdict)


def table(rows: Sequence[Row]) -> Iterator[str]:
    return lines([COLUMNS, *(row.cells() for row in rows)])


def lines(cells: Sequence[Sequence[str]]) -> Iterator[str]:
    """A Markdown table; the first line is its head."""
    widths = [max(len(line[index]) for line in cells) for index in range(len(cells[0]))]
    for number, line in enumerate(cells):
        yield "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        if number == 0:
            yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"


def comparison(samples: Mapping[str, Sequence[Sample]], reference: str = "") -> Iterator[str]:
    """Everything that was measured in turns, a line for each name; wall times also as multiples of the reference's."""
    rows = [("", "wall s (min-max)", "processor s", "peak MB", f"x {reference}" if reference else "")]
    for name, of_one in samples.items():
        walls = [sample.wall for sample in of_one]
        rows.append(
            (
                name,
                f"{wall(of_one):.2f} ({min(walls):.2f}-{max(walls):.2f})",
                f"{processor(of_one):.2f}",
                f"{peak(of_one) / 1e6:.0f}",
                f"{ratio(of_one, samples[reference]):.2f}" if reference else "",
            )
        )
    yield from lines(rows)


def facts(directory: Path) -> Iterator[str]:
    """When, and on what machine."""
    yield f"orchestrator {__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    yield (
        f"{processors()} processors ({_model()}), {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {_file_system(directory)} on {directory}"
    )
    yield f"load average {' '.join(f'{load:.2f}' for load in os.getloadavg())}; interpreter {sys.executable}"


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model", "cpu model"):
            return value.strip()
    return platform.machine()


def _file_system(directory: Path) -> str:
    """Its type and options, from the mount that holds `directory`."""
    best = ("", "", "")
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        point, options = before.split()[4:6]
        holds = directory.is_relative_to(point)
        if holds and len(point) >= len(best[0]):
            best = (point, after.split()[0], options)
    return f"{best[1]} ({best[2]})"
