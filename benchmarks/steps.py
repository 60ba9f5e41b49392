# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step costs: an upgrade of trivial one-shot scripts against run-parts, and against bare fsyncs.

run-parts starts the very same scripts, one after the other, and keeps no record. What the record must cost is
measured beside it: as many lines as the run wrote to its journal and its history, appended to a file on the same
file system, with as many fsyncs as the run made.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from measuring import Patience, Sample, in_turns, orchestrator, processor, ratio, timed, wall
from product import Product, journals
from table import Row

TO_REACH = 2.0


@dataclass(slots=True)
class _Runs:
    """Upgrades of the same steps from scratch. Each has a state directory of its own, for what is deleted
    between timed runs would keep the file system busy in the next."""

    product: Product
    states: list[Path] = field(default_factory=list)

    def fresh(self) -> Path:
        state = self.product.configure(f"state-{len(self.states)}")
        self.states.append(state)
        return state

    def upgrade(self) -> Sample:
        self.fresh()
        return timed(orchestrator("upgrade", "-y"), self.product.env)

    def run_parts(self) -> Sample:
        return timed(
            ["run-parts", "--exit-on-error", str(self.product.scripts / "upgrade")], self.product.env
        )

    def record(self) -> list[bytes]:
        """The lines that the last run wrote."""
        state = self.states[-1]
        lines = journals(state)[0].read_bytes().splitlines(keepends=True)
        return lines + (state / "upgrade-history").read_bytes().splitlines(keepends=True)


def measure(product: Product, *, count: int, times: int, patience: Patience) -> list[Row]:
    product.trivial_steps(range(1, count + 1))
    runs = _Runs(product)
    runs.upgrade()  # to make the bytecode
    fsyncs, how = _count_fsyncs(runs)
    what = f"steps: {count} trivial scripts, journaled and recorded; run-parts, the same scripts"
    if shutil.which("run-parts") is None:
        took = wall(in_turns({"ours": runs.upgrade}, times, patience)["ours"])
        return [Row(what, f"{took:.2f} s", "run-parts is not installed")]
    samples = in_turns(
        {
            "ours": runs.upgrade,
            "run-parts": runs.run_parts,
            "fsyncs": lambda: _append(product.directory / "bare", runs.record(), fsyncs),
        },
        times,
        patience,
    )
    ours, peer, bare = samples["ours"], samples["run-parts"], samples["fsyncs"]
    beyond = median(
        (mine.wall - disk.wall) / other.wall for mine, disk, other in zip(ours, bare, peer, strict=True)
    )
    return [
        Row(
            what,
            f"{wall(ours):.2f} s",
            f"{wall(peer):.2f} s; {fsyncs} fsyncs ({how}): {wall(bare):.2f} s",
            f"(ours - fsyncs) / run-parts: {beyond:.2f}x",
            f"{TO_REACH:.1f}x",
            beyond <= TO_REACH,
        ),
        Row(
            "steps, processor time of all processes",
            f"{processor(ours):.2f} s",
            f"{processor(peer):.2f} s",
            f"{ratio(ours, peer):.2f}x run-parts in all",
        ),
    ]


def _count_fsyncs(runs: _Runs) -> tuple[int, str]:
    """How many fsyncs one upgrade makes, and how that is known."""
    argv = orchestrator("upgrade", "-y")
    if shutil.which("strace"):
        calls = runs.fresh().with_suffix(".calls")
        trace = ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync,sync_file_range", "-o", str(calls)]
        traced = subprocess.run(
            [*trace, *argv], env=runs.product.env, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if traced.returncode == 0:
            return _total(calls.read_text().splitlines()), "counted by strace"
    runs.upgrade()
    return len(runs.record()), "lines written"


def _total(lines: Sequence[str]) -> int:
    """The sum of strace's `calls` column: % time, seconds, usecs/call, calls, [errors,] name."""
    found = [re.match(r" *[\d.]+ +[\d.]+ +\d+ +(\d+) .*sync", line) for line in lines]
    return sum(int(match[1]) for match in found if match)


def _append(path: Path, lines: Sequence[bytes], count: int) -> Sample:
    """Append `count` lines to a file as the journal does, each on the disk before the next."""
    began = time.perf_counter()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        for number in range(count):
            os.write(descriptor, lines[number % len(lines)])
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return Sample(time.perf_counter() - began, 0.0, 0, 0.0)
