# SPDX-License-Identifier: GPL-3.0-or-later
"""Test modules run by a pytest inside a throw-away host, each test's outcome told outside.

@pytest.mark.parametrize("name", names_of_tests(module))
def test_inside(name: str, outcomes: Outcomes) -> None:
    outcomes.check(name)
"""

import inspect
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from types import ModuleType

import pytest

from tests.support.systemd_host import CHECKOUT, SystemdHost

_REPORT = "/opt/report.xml"


def names_of_tests(module: ModuleType) -> list[str]:
    """The test functions and methods of a module, inherited ones too."""
    names = [name for name, _ in inspect.getmembers(module, inspect.isfunction) if name.startswith("test_")]
    for _, kind in inspect.getmembers(module, inspect.isclass):
        if kind.__name__.startswith("Test") and kind.__module__ == module.__name__:
            names += [
                name for name, _ in inspect.getmembers(kind, inspect.isfunction) if name.startswith("test_")
            ]
    return names


@dataclass(frozen=True)
class Outcomes:
    """What became of each test: empty for a success, else the report of its failure."""

    failures: dict[str, str]
    output: str

    def check(self, name: str) -> None:
        cases = {case: text for case, text in self.failures.items() if case.partition("[")[0] == name}
        if not cases:
            pytest.fail(f"{name} was not run inside:\n{self.output[-4000:]}", pytrace=False)
        failed = [f"{case}:\n{text}" for case, text in cases.items() if text]
        if failed:
            pytest.fail("\n".join(failed), pytrace=False)


def run_inside(host: SystemdHost, module: ModuleType, timeout: float = 300) -> Outcomes:
    """Run the tests of `module` inside `host`, all of them."""
    assert module.__file__ is not None
    options = [
        "-q",
        "--durations=8",
        "-p",
        "no:cacheprovider",
        f"--rootdir={CHECKOUT}",
        f"--junitxml={_REPORT}",
    ]
    argv = ["env", f"--chdir={CHECKOUT}", sys.executable, "-m", "pytest", *options, module.__file__]
    done = host.run(argv, check=False, timeout=timeout)
    report = host.path(_REPORT)
    failures = {}
    if report.exists():
        for case in ET.parse(report).getroot().iter("testcase"):
            reasons = [
                element.text or "" for element in case if element.tag in ("failure", "error", "skipped")
            ]
            failures[case.get("name", "")] = "\n".join(reasons)
    return Outcomes(failures, done.stdout + done.stderr)
