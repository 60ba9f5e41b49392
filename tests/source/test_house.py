# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the house: lint, types, layers, one home for each side effect, one SPDX line a file."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.requirements import require

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "orchestrator"
# Who may import whom: a layer knows itself and those to its right.
LAYERS = {
    # The runner and the content engine know nothing of each other: only the commands know both.
    "cli": {"upgrade", "content", "services", "config", "host", "errors"},
    "upgrade": {"services", "config", "host", "errors"},
    "services": {"config", "host", "errors"},
    "content": {"config", "host", "errors"},
    "config": {"services.order", "errors"},
    "host": {"errors"},
    "errors": set[str](),
}


def tracked(*patterns: str) -> list[Path]:
    """Files of the project: git's where there is git, all others are not ours to judge."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        return [path for pattern in patterns for path in ROOT.rglob(pattern) if not path.is_dir()]
    return [
        path
        for name in listed.stdout.splitlines()
        if (path := ROOT / name).is_file() and not path.is_symlink()
    ]


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def check(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing() -> None:
    check("ruff", "check", ".")


def test_everything_is_formatted() -> None:
    check("ruff", "format", "--check", ".")


@pytest.mark.timeout(600)
def test_types_are_right() -> None:
    check("mypy")


def test_every_source_file_has_its_licence_line() -> None:
    kinds = (".py", ".sh", ".yaml", ".toml")
    lacking = [
        str(path.relative_to(ROOT))
        for path in tracked(
            "orchestrator", "tests", "benchmarks", "examples", "phases", "scripts.d", ".ci", "man"
        )
        if (path.suffix in (*kinds, ".8", ".5", ".7") or path.read_bytes().startswith(b"#!"))
        and "SPDX-License-Identifier: GPL-3.0-or-later" not in path.read_text(errors="replace")[:400]
    ]
    assert not lacking


def imports_of(path: Path) -> Iterator[str]:
    """Modules of this package that `path` imports, anywhere in it, without the package's own name."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.startswith("orchestrator."):
                yield name.removeprefix("orchestrator.")


def layer_of(name: str) -> str:
    return name.partition(".")[0]


def test_imports_point_one_way() -> None:
    wrong = []
    for path in modules():
        layer = layer_of(".".join(path.relative_to(PACKAGE).with_suffix("").parts))
        allowed = LAYERS.get(layer)
        if allowed is None:
            continue
        for name in imports_of(path):
            target = layer_of(name)
            known = target in LAYERS and target != layer
            if (
                known
                and target not in allowed
                and not any(name.startswith(one) for one in allowed if "." in one)
            ):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_no_modules_import_each_other() -> None:
    graph: dict[str, set[str]] = {}
    names = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in modules()
    }
    for name, path in names.items():
        tree = ast.parse(path.read_text())
        graph[name] = set()
        for node in tree.body:  # imports inside functions and for types alone cannot make a cycle
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("orchestrator."):
                module = (node.module or "").removeprefix("orchestrator.")
                for alias in node.names:
                    inner = f"{module}.{alias.name}"
                    graph[name].add(inner if inner in names else module)
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path, name])
        if name not in done:
            for other in graph.get(name, ()):
                walk(other, (*path, name))
            done.add(name)

    for name in graph:
        walk(name, ())


@pytest.mark.parametrize(
    ("pattern", "homes"),
    [
        (
            r"^\s*(import subprocess|from subprocess|import sh\b)|os\.(fork|exec|posix_spawn|system)\b",
            {"processes.py", "shimmed.py", "shim.py"},
        ),
        (r"^\s*(import socket|from socket|import http\.client|import ssl)\b", {"sockets.py", "facts.py"}),
        (r"\btime\.(time|monotonic|sleep)\(|datetime\.now\(", {"clock.py", "shim.py"}),
        (r"os\.fsync\(|fcntl\.", {"files.py", "shim.py"}),
        (r"\bsignal\.signal\(", {"signals.py", "processes.py", "shim.py"}),
    ],
)
def test_each_side_effect_has_one_home(pattern: str, homes: set[str]) -> None:
    search = re.compile(pattern, re.MULTILINE)
    elsewhere = [
        str(path.relative_to(ROOT))
        for path in modules()
        if path.name not in homes and search.search(path.read_text())
    ]
    assert not elsewhere


def test_shell_scripts_pass_shellcheck() -> None:
    require(shutil.which("shellcheck") is not None, "shellcheck is not installed")
    scripts = [
        path
        for path in tracked("scripts.d", "tests", "examples", ".ci", "packaging")
        if path.suffix == ".sh"
        or path.read_bytes()[:20].startswith((b"#!/bin/sh", b"#!/bin/bash", b"#!/usr/bin/env bash"))
    ]
    assert scripts
    done = subprocess.run(["shellcheck", *map(str, scripts)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_constraints_name_no_addresses() -> None:
    assert not re.search(r"https?:|@|--(index|extra|find)", (ROOT / "constraints.txt").read_text())


def test_the_phases_and_scripts_shipped_pass_the_projects_own_lint() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "scripts", "lint", str(ROOT / "scripts.d")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
