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
