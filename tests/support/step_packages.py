# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages for transactions: the examples', packages of steps alone, and one that stands for the machine."""

import functools
import importlib.util
import subprocess
import tempfile
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.support.systemd_host import CHECKOUT

Kind = Literal["deb", "rpm"]
EXAMPLES = CHECKOUT / "examples" / "packages"
SCRIPTS = "/usr/share/orchestrator/scripts.d"
_HEADER = "#!/bin/sh\n#name: {name}\n#description: A step for tests.\n{header}set -eu\n"


@functools.cache
def _builder() -> Any:
    spec = importlib.util.spec_from_file_location("example_packages_build", EXAMPLES / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build_examples(kind: Kind, output: Path) -> list[Path]:
    """bookshelf 1.0, bookshelf 2.0, bookshelf-covers 1.0."""
    return list(_builder().build([kind], output))


def machine_rpm(packages: Sequence[Path], output: Path) -> Path:
    """A package that stands for the machine, whose rpm database is empty: it has what they need of it."""
    query = ["rpm", "-qp", "--queryformat", "[%{REQUIRENAME}\\t%{REQUIREVERSION}\\n]", *map(str, packages)]
    lines = subprocess.run(query, check=True, capture_output=True, text=True).stdout.splitlines()
    needed = {tuple(line.split("\t")) for line in lines}
    others = [
        f"Provides: {name} = {version}" if version else f"Provides: {name}"
        for name, version in sorted(needed)
        if not name.startswith(("orchestrator", "bookshelf", "config(", "rpmlib("))
    ]
    with tempfile.TemporaryDirectory() as place:
        return _build_rpm(
            "machine", "1.0", [*others, "%description", "The machine.", "%files"], place, output
        )


@dataclass(frozen=True)
class StepPackage:
    """A package that ships nothing but steps: path below scripts.d -> its lines. `headers` by path, too."""

    name: str
    version: str
    steps: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)
    depends: str = "orchestrator"

    def deb(self, output: Path) -> Path:
        with tempfile.TemporaryDirectory() as place:
            tree = self._stage(Path(place))
            control = tree / "DEBIAN" / "control"
            control.parent.mkdir()
            control.write_text(
                f"Package: {self.name}\nVersion: {self.version}\nArchitecture: all\nDepends: {self.depends}\n"
                "Maintainer: Nobody <nobody@example.org>\nDescription: steps for tests\n"
            )
            package = output / f"{self.name}_{self.version}_all.deb"
            run_tool("dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(package))
            return package

    def rpm(self, output: Path) -> Path:
        with tempfile.TemporaryDirectory() as place:
            tree = self._stage(Path(place, "tree"))
            lines = [f"Requires: {self.depends}", "%description", "Steps.", "%install"]
            lines += [f"cp -a {tree}/. %{{buildroot}}", "%files", f"{SCRIPTS}/*/*"]
            return _build_rpm(self.name, self.version, lines, place, output)

    def _stage(self, tree: Path) -> Path:
        for path, body in self.steps.items():
            file = tree / SCRIPTS.lstrip("/") / path
            file.parent.mkdir(parents=True, exist_ok=True)
            header = "".join(f"{line}\n" for line in self.headers.get(path, "").splitlines())
            file.write_text(
                _HEADER.format(name=file.stem, header=header) + textwrap.dedent(body).strip() + "\n"
            )
            file.chmod(0o755)
        return tree


def run_tool(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _build_rpm(name: str, version: str, lines: Sequence[str], place: str, output: Path) -> Path:
    head = [f"Name: {name}", f"Version: {version}", "Release: 1", "Summary: For tests", "License: MIT"]
    spec = Path(place, f"{name}.spec")
    spec.write_text("\n".join([*head, "BuildArch: noarch", *lines, ""]))
    definitions = (f"_topdir {place}", f"_rpmdir {output}", "__os_install_post %{nil}")
    words = [word for definition in definitions for word in ("--define", definition)]
    run_tool("rpmbuild", "-bb", "--quiet", "--nodeps", *words, str(spec))
    return output / "noarch" / f"{name}-{version}-1.noarch.rpm"
