# SPDX-License-Identifier: GPL-3.0-or-later
r"""Timing whole commands: wall time, processor time, peak memory, and what else ran on the machine meanwhile.

Peers are measured in turns with ours, so that what happens to the machine happens to both; figures are
medians, and ratios those of runs of one round. Before each timed run a quiet moment is waited for, as far as
the caller's patience goes.

    samples = in_turns({"ours": lambda: timed(ours, env), "peer": lambda: timed(peer, env)}, 5, patience)
    wall(samples["ours"]), processor(samples["ours"]), peak(samples["ours"]), ratio(samples["ours"], samples["peer"])
    print(*table.comparison(samples, "peer"), sep="\n")
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
# A checkout measures itself, whether it is installed or not. The other modules import this one first.
sys.path.insert(0, str(ROOT))
# The share of all processors that others may take while the machine counts as quiet.
QUIET = 0.05
_TICK = os.sysconf("SC_CLK_TCK")
_LAUNCHER = (sys.executable, "-I", "-S", str(ROOT / "benchmarks" / "launcher.py"))


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of a command. Seconds; `peak` in bytes, of the largest process; `others`: the share of all processors
    that others took."""

    wall: float
    processor: float
    peak: int
    others: float


class Patience:
    """Waits for quiet moments, all together at most `seconds`, and knows how quiet it was in the timed runs."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self.others: list[float] = []

    def wait(self) -> None:
        """Return when nothing else ran for half a second, or when the patience is used up."""
        while self._left > 0:
            busy, began = _busy(), time.monotonic()
            time.sleep(0.5)
            passed = time.monotonic() - began
            if (_busy() - busy) / (passed * processors()) <= QUIET:
                return
            self._left -= passed


def processors() -> int:
    return os.cpu_count() or 1


def _busy() -> float:
    """Seconds that all processors together have worked since boot."""
    words = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _idle, _waiting, interrupts, soft, steal = words[:8]
    return (user + nice + system + interrupts + soft + steal) / _TICK


def environment(home: Path, **extra: str) -> dict[str, str]:
    """What all measured commands get: this checkout and `home` to import from, bytecode kept in `home`.

    Bytecode is kept because every installed package has it.
    """
    kept = {name: os.environ[name] for name in ("HOME", "PATH", "TZ") if name in os.environ}
    return {
        **kept,
        "LANG": "C.UTF-8",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{home}",
        "PYTHONPYCACHEPREFIX": str(home / "bytecode"),
        **extra,
    }


def orchestrator(*words: str) -> list[str]:
    return [sys.executable, "-m", "orchestrator", *words]


def timed(
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    status: int = 0,
    output: int | None = None,
    errors: int | None = None,
) -> Sample:
    """Run a command to its end. `output`: a descriptor instead of /dev/null; `errors`: one instead of ours.

    Raises RuntimeError at another status, OSError when there is no such program.
    """
    busy, began = _busy(), time.perf_counter()
    reader, writer = os.pipe()
    with (
        open(reader, "rb") as report,
        subprocess.Popen(
            [*_LAUNCHER, str(writer), *argv],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if output is None else output,
            stderr=errors,
            pass_fds=(writer,),
        ) as launcher,
    ):
        os.close(writer)
        told = json.loads(report.read() or b"[]")
        _, code, usage = os.wait4(launcher.pid, 0)
        launcher.returncode = os.waitstatus_to_exitcode(code)
    if len(told) == 1:
        raise OSError(told[0], os.strerror(told[0]), argv[0])
    if not told or told[0] != status:
        raise RuntimeError(f"{' '.join(argv)} ended with {told[0] if told else 'its launcher'}, not {status}")
    everything = usage.ru_utime + usage.ru_stime
    others = max(0.0, _busy() - busy - everything) / ((time.perf_counter() - began) * processors())
    _, seconds, own, peak = told
    return Sample(seconds, own, peak, others)


def in_turns(
    runs: Mapping[str, Callable[[], Sample]], times: int, patience: Patience
) -> dict[str, list[Sample]]:
    """Call each of `runs` `times` times, one after the other."""
    samples: dict[str, list[Sample]] = {name: [] for name in runs}
    for _ in range(times):
        for name, run in runs.items():
            patience.wait()
            samples[name].append(run())
            patience.others.append(samples[name][-1].others)
    return samples


def wall(samples: Sequence[Sample]) -> float:
    """The median, in seconds."""
    return median(sample.wall for sample in samples)


def processor(samples: Sequence[Sample]) -> float:
    """The median of user and system time of the process tree, in seconds."""
    return median(sample.processor for sample in samples)


def peak(samples: Sequence[Sample]) -> float:
    """The median of what the largest process of the tree had in memory, in bytes."""
    return median(sample.peak for sample in samples)


def ratio(ours: Sequence[Sample], theirs: Sequence[Sample]) -> float:
    """The median of the ratios of wall times, round by round."""
    return median(mine.wall / other.wall for mine, other in zip(ours, theirs, strict=True))


def quietness(patience: Patience) -> str:
    """What else ran in the timed runs, the kernel's own work included."""
    if not patience.others:
        return "measured"
    usual, most = median(patience.others), max(patience.others)
    return f"measured; others took {usual:.0%} of the processors meanwhile, at most {most:.0%}"
