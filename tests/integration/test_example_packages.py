# SPDX-License-Identifier: GPL-3.0-or-later
"""examples/packages: what is built of it, its steps and scripts, and what its guide says."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.config.load import load_config
from tests.support.requirements import require
from tests.support.step_packages import EXAMPLES, Kind, build_examples

ROOT = EXAMPLES.parents[1]
TOOLS = {"deb": ("dpkg-deb",), "rpm": ("rpmbuild", "bsdtar")}
STEPS = "/usr/share/orchestrator/scripts.d"


@pytest.fixture(scope="module", params=["deb", "rpm"])
def trees(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What each package unpacks to: `bookshelf 2.0` -> a directory."""
    kind: Kind = request.param
    for tool in TOOLS[kind]:
        require(shutil.which(tool) is not None, tool)
    place = tmp_path_factory.mktemp(kind)
    found = {}
    for package in build_examples(kind, place):
        name, version = re.match(r"(.+)[-_](\d\.\d)", package.name).groups()  # type: ignore[union-attr] # by build.py
        tree = found[f"{name} {version}"] = place / f"{name}-{version}"
        tree.mkdir()
        if kind == "deb":
            subprocess.run(["dpkg-deb", "--extract", package, tree], check=True)
        else:
            subprocess.run(["bsdtar", "--extract", "--file", package, "--directory", tree], check=True)
    return found


def test_every_package_is_built(trees: dict[str, Path]) -> None:
    assert set(trees) == {"bookshelf 1.0", "bookshelf 2.0", "bookshelf-covers 1.0"}


def test_the_steps_of_each_package_pass_lint(trees: dict[str, Path]) -> None:
    for tree in trees.values():
        lint = [sys.executable, "-m", "orchestrator", "scripts", "lint", f"{tree}{STEPS}"]
        done = subprocess.run(lint, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_version_2_adds_one_shots_to_each_phase(trees: dict[str, Path]) -> None:
    def one_shots(name: str) -> set[str]:
        return {path.name for path in Path(f"{trees[name]}{STEPS}").glob("upgrade/*")}

    new = one_shots("bookshelf 2.0") - one_shots("bookshelf 1.0")
    assert one_shots("bookshelf 1.0") <= one_shots("bookshelf 2.0")
    assert {name[0] for name in new} == {"1", "3", "6"}


def test_an_add_on_ships_nothing_but_steps(trees: dict[str, Path]) -> None:
    tree = trees["bookshelf-covers 1.0"]
    files = [path for path in tree.rglob("*") if path.is_file()]
    assert files
    assert all(str(path).startswith(f"{tree}{STEPS}/") for path in files)
    assert not {path.name for path in files} & {path.name for path in trees["bookshelf 2.0"].rglob("*")}


def test_the_configuration_is_valid_and_the_same_in_each_version(trees: dict[str, Path]) -> None:
    first, second = (trees[f"bookshelf {v}"] / "etc/orchestrator/orchestrator.yaml" for v in ("1.0", "2.0"))
    assert first.read_bytes() == second.read_bytes(), "else dpkg asks about it at every upgrade"
    config = load_config(second)
    assert {service.tier for service in config.services.values()} == {"application", "backend"}


def test_the_application_alone_has_the_gate(trees: dict[str, Path]) -> None:
    gates = list(trees["bookshelf 2.0"].rglob("*.service.d/*"))
    assert [path.parent.name for path in gates] == ["bookshelf.service.d"]
    assert "\nExecCondition=+/usr/bin/orchestrator pending --quiet\n" in gates[0].read_text()


def test_the_maintainer_scripts_pass_shellcheck() -> None:
    require(shutil.which("shellcheck") is not None, "shellcheck")
    scripts = [path for path in EXAMPLES.glob("*/deb/*") if path.read_bytes().startswith(b"#!")]
    assert len(scripts) == 4
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_spec_does_what_the_debian_scripts_do() -> None:
    """The lines that matter, for each is easily changed in one of the two alone."""
    spec = (EXAMPLES / "bookshelf" / "bookshelf.spec").read_text()
    scripts = "".join(path.read_text() for path in (EXAMPLES / "bookshelf" / "deb").iterdir())
    for text in (spec, scripts):
        for line in (
            r"orchestrator hook (deb|rpm) --before ",
            r"orchestrator history baseline --only '\*_bookshelf-\*'",
            r"(?s)history baseline .*/usr/lib/bookshelf/store --create",
            r"if orchestrator pending --quiet; then",
        ):
            assert re.search(line, text), line
