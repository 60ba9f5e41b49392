# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmarks run, and print what was measured. No time is judged here."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.product import ROOT
from tests.support.requirements import require

MEASURED = """
import os, sys
sys.path.insert(0, {benchmarks!r})
from measuring import Patience, in_turns, timed
from table import comparison

ours = b"x" * 80_000_000
runs = dict(small=[sys.executable, "-S", "-c", "pass"], large=[sys.executable, "-S", "-c", "x = b'x' * 50_000_000"])
samples = in_turns({{name: lambda argv=argv: timed(argv, dict(os.environ)) for name, argv in runs.items()}}, 2, Patience(0))
assert max(sample.peak for sample in samples["small"]) < 40_000_000 < min(sample.peak for sample in samples["large"])
assert all(0 < sample.processor < 5 and sample.wall > 0 for of_one in samples.values() for sample in of_one)
print(*comparison(samples, "small"), sep="\\n")
for argv, error in ((["/none/there"], FileNotFoundError), ([sys.executable, "-c", "exit(3)"], RuntimeError)):
    try:
        timed(argv, dict(os.environ))
    except error as told:
        print(told)
"""


def test_a_command_is_measured_without_the_memory_of_who_measures_it() -> None:
    program = MEASURED.format(benchmarks=str(ROOT / "benchmarks"))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    head, _, small, large, missing, failed = done.stdout.splitlines()
    assert "x small" in head
    assert (small.startswith("| small"), " 1.00 " in small, large.startswith("| large")) == (True, True, True)
    assert "No such file or directory" in missing
    assert "ended with 3, not 0" in failed


@pytest.mark.slow
def test_the_benchmarks_of_the_runner_print_every_measure() -> None:
    require(shutil.which("run-parts") is not None, "run-parts is not installed (Debian: debianutils)")
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "runner.py"), "--quick"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.removeprefix("| ") for line in done.stdout.splitlines() if line.startswith("| ")]
    for measure in ("steps:", "pending:", "plan:", "downtime", "memory"):
        assert any(row.startswith(measure) for row in rows), done.stdout
    assert "the figures mean nothing" in done.stdout


@pytest.mark.slow
def test_the_benchmarks_of_mirroring_print_every_measure(tmp_path: Path) -> None:
    for program in ("nginx", "curl", "gpgv"):
        require(
            shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is not None,
            f"{program} is not installed",
        )
    places = ["--directory", str(tmp_path), "--repositories", str(tmp_path / "repositories")]
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "mirror.py"), "--quick", *places],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.removeprefix("| ") for line in done.stdout.splitlines() if line.startswith("| ")]
    for measure in ("full mirror, cold", "full mirror: 60 rpms", "partial mirror", "index and closure"):
        assert any(row.startswith(measure) for row in rows), done.stdout
    assert "the figures mean nothing" in done.stdout


@pytest.mark.slow
def test_the_benchmarks_of_exports_and_imports_print_every_measure(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "sync.py"), "--quick", "--directory", str(tmp_path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.removeprefix("| ") for line in done.stdout.splitlines() if line.startswith("| ")]
    for measure in (
        "export dir",
        "export tar",
        "export tgz",
        "export iso",
        "import from tar",
        "memory, import",
    ):
        assert any(row.startswith(measure) for row in rows), done.stdout
    assert "the figures mean nothing" in done.stdout
