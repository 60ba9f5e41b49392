# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the steps: numbered files in the kinds' directories of each layer, read once, judged strictly.

A later layer's file overrides one of the same name; a link to /dev/null masks it. What package managers
and editors drop is ignored; anything else that cannot run is a problem, never skipped in silence: a
skipped migration is lost data.
"""

import difflib
import glob
import hashlib
import os
import re
import shlex
import stat
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path

from orchestrator.config.load import read_yaml
from orchestrator.errors import Invalid, NotPermitted, Problem
from orchestrator.upgrade.actions import Action, Registry
from orchestrator.upgrade.header import Header, RunRule, header_from_mapping, parse_header

# Names like 0120_migrate_pulp.sh; .yaml files hold actions, everything else is executed.
_NAME = re.compile(r"([0-9]{4})_[A-Za-z0-9][A-Za-z0-9_.+@-]*")
_DROPPING = re.compile(
    r"\..*|.*~|.*\.(rpmnew|rpmsave|rpmorig|dpkg-[a-z-]+|ucf-[a-z-]+|swp|swo|bak|orig|rej|pyc|pyo)|__pycache__|README.*|#.*#"
)
# A YAML step is run by this program's own interpreter and code, installed or in a checkout, whatever the
# step's environment says.
_RUN_ACTIONS = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module('orchestrator.cli.run_actions', run_name='__main__', alter_sys=True)"
)
_CODE = str(Path(__file__).resolve().parents[2])


class Kind(StrEnum):
    """In the order in which steps of one number run."""

    CHECK = "check"
    DEFAULT = "default"
    UPGRADE = "upgrade"


_KIND_ORDER = {kind: index for index, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Step:
    """One numbered script or YAML file. `overrides`: the file of an earlier layer that it replaces."""

    kind: Kind
    number: int
    name: str
    path: Path
    sha256: str
    header: Header
    actions: tuple[Action, ...] = ()
    overrides: Path | None = None

    @property
    def id(self) -> str:
        """Unique among all steps: `upgrade/0120_migrate.sh`."""
        return f"{self.kind}/{self.name}"

    @property
    def run_rule(self) -> RunRule:
        if self.kind is Kind.UPGRADE:
            return RunRule.ONCE
        return self.header.run or RunRule.ALWAYS

    @property
    def in_history(self) -> bool:
        """Whether its end is recorded in the history file."""
        return self.run_rule is not RunRule.ALWAYS

    @property
    def argv(self) -> tuple[str, ...]:
        if self.actions:
            return (sys.executable, "-c", _RUN_ACTIONS, _CODE, str(self.path))
        return (str(self.path),)

    @property
    def order(self) -> tuple[int, int, str]:
        return (self.number, _KIND_ORDER[self.kind], self.name)


@dataclass(frozen=True, slots=True)
class Masked:
    """A step that a later layer switched off."""

    kind: Kind
    name: str
    by: Path


@dataclass(frozen=True, slots=True)
class Scripts:
    """All steps in running order, what is masked, and everything that is wrong."""

    steps: tuple[Step, ...] = ()
    masked: tuple[Masked, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class _Found:
    path: Path
    overrides: Path | None = None


@dataclass(slots=True)
class _Scan:
    registry: Registry
    files: dict[tuple[Kind, str], _Found] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    masked: list[Masked] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, where: Path, what: str, hint: str = "") -> None:
        self.problems.append(Problem(str(where), what, hint))


def find_steps(layers: Sequence[Path], registry: Registry) -> Scripts:
    """Read every layer. The first must exist; later ones (the administrator's) may be absent."""
    scan = _Scan(registry)
    missing = tuple(layer for layer in layers if not os.path.lexists(layer))
    if layers and layers[0] in missing:
        scan.problem(
            layers[0], "the first scripts directory does not exist", "see `scripts:` in the configuration"
        )
    for layer in layers:
        if layer not in missing:
            _scan_layer(layer, scan)
    for (kind, name), found in scan.files.items():
        _take_file(kind, name, found, scan)
    scan.problems += _duplicates(scan.steps)
    return Scripts(
        tuple(sorted(scan.steps, key=lambda step: step.order)),
        tuple(scan.masked),
        tuple(scan.problems),
    )


def _scan_layer(layer: Path, scan: _Scan) -> None:
    kinds = {kind.value for kind in Kind}
    for entry in _list(layer, scan):
        if is_dropping(entry.name):
            continue
        if entry.name not in kinds or not os.path.isdir(entry.path):
            nearest = difflib.get_close_matches(entry.name, kinds, 1, 0.6)
            hint = f"did you mean {nearest[0]}/?" if nearest else "steps lie in check/, default/ and upgrade/"
            scan.problem(Path(entry.path), "does not belong into a scripts directory", hint)
            continue
        for inner in _list(Path(entry.path), scan):
            if not is_dropping(inner.name):
                key = (Kind(entry.name), inner.name)
                earlier = scan.files.get(key)
                scan.files[key] = _Found(Path(inner.path), earlier.path if earlier else None)


def _list(directory: Path, scan: _Scan) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        scan.problem(directory, f"cannot be read: {error.strerror}")
        return []


def is_dropping(name: str) -> bool:
    """Whether a file of this name is ignored: what editors and package managers leave."""
    return _DROPPING.fullmatch(name) is not None


def _take_file(kind: Kind, name: str, found: _Found, scan: _Scan) -> None:
    """Make a step of one file, or say why it cannot be one."""
    path = found.path
    if path.is_symlink() and os.path.realpath(path) == "/dev/null":
        scan.masked.append(Masked(kind, name, path))
        return
    match = _NAME.fullmatch(name)
    number = int(match[1]) if match else 0
    if not number:
        scan.problem(path, "is not named like a step", "NNNN_name, NNNN from 0001 to 9999")
        return
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # reading a named pipe would wait for ever
            scan.problem(path, "is not a regular file")
            return
        data = path.read_bytes()
    except OSError as error:
        scan.problem(path, f"cannot be read: {error.strerror}")
        return
    digest = hashlib.sha256(data).hexdigest()
    if name.endswith((".yaml", ".yml")):
        header, actions = _read_actions(path, scan)
    else:
        header, actions = _read_script(path, data, mode, scan), ()
    if header is not None:
        _check_run_rule(kind, path, header, scan)
        scan.steps.append(Step(kind, number, name, path, digest, header, actions, found.overrides))


def _read_script(path: Path, data: bytes, mode: int, scan: _Scan) -> Header | None:
    if not data.startswith(b"#!"):
        scan.problem(path, "does not begin with #!", "name its interpreter in the first line, like #!/bin/sh")
        return None
    if not mode & stat.S_IXUSR:
        scan.problem(path, "is not executable", f"chmod +x {shlex.quote(str(path))}")
    first, _, _ = data.partition(b"\n")
    if reason := _interpreter_problem(first.decode("utf-8", "replace")):
        scan.problem(path, reason)
    header, problems = parse_header(data.decode("utf-8", "replace"), str(path))
    scan.problems += problems
    return header


@cache
def _interpreter_problem(line: str) -> str:
    """Why the #! line cannot work; empty when it can."""
    if line.endswith("\r"):
        return "has DOS line ends; the interpreter would not be found"
    words = line[2:].split()
    if not words:
        return "the #! line names no interpreter"
    if not (os.path.isfile(words[0]) and os.access(words[0], os.X_OK)):
        return f"its interpreter {words[0]} does not exist or cannot be run"
    if words[0].endswith("/env"):
        from orchestrator.host.processes import find_program

        if len(words) > 2 and not words[1].startswith(("-S", "--split-string")):
            return f"env would look for a program named '{' '.join(words[1:])}'; write: #!{words[0]} -S ..."
        program = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), "")
        if not find_program(program):
            return f"its interpreter {program or '(none)'} is not found by env"
    return ""


def _read_actions(path: Path, scan: _Scan) -> tuple[Header | None, tuple[Action, ...]]:
    try:
        document = read_yaml(path)
    except Invalid as error:
        scan.problems += error.problems or [Problem(str(path), error.message)]
        return None, ()
    if (
        not isinstance(document, dict)
        or not isinstance(document.get("actions"), list)
        or not document["actions"]
    ):
        scan.problem(path, "is not a mapping with name, description and a list of actions")
        return None, ()
    fields = {key: value for key, value in document.items() if key != "actions"}
    header, problems = header_from_mapping(fields, str(path))
    scan.problems += problems
    actions: list[Action] = []
    for index, item in enumerate(document["actions"]):
        try:
            actions.append(scan.registry.parse(item))
        except ValueError as error:
            scan.problem(Path(f"{path}: actions[{index}]"), str(error))
    return header, tuple(actions)


def _check_run_rule(kind: Kind, path: Path, header: Header, scan: _Scan) -> None:
    rule = header.run
    if kind is Kind.UPGRADE and rule not in (None, RunRule.ONCE):
        scan.problem(path, f"run {rule} contradicts upgrade/, whose steps run once", "move it to default/")
    elif kind is Kind.DEFAULT and rule is RunRule.ONCE:
        scan.problem(
            path, "run once contradicts default/, whose steps run at every upgrade", "move it to upgrade/"
        )
    elif kind is Kind.CHECK and rule not in (None, RunRule.ALWAYS):
        scan.problem(path, f"run {rule} contradicts check/, whose steps run always")
    if kind is Kind.CHECK:
        for key, said in (
            ("risk", header.risk),
            ("rerun", header.rerun_ask),
            ("on-failure", header.continue_on_failure),
            ("package-manager", header.package_manager),
        ):
            if said:
                scan.problem(path, f"{key} means nothing in check/, whose steps only read")
    if header.inputs and rule is not RunRule.ON_CHANGE:
        scan.problem(path, "inputs mean something only with run: on-change")


def _duplicates(steps: Sequence[Step]) -> Iterable[Problem]:
    """Two steps of one kind with one number; two that share a line of the history."""
    seen: dict[tuple[Kind, int], Step] = {}
    names: dict[str, Step] = {}
    for step in sorted(steps, key=lambda step: step.order):
        first = seen.setdefault((step.kind, step.number), step)
        if first is not step:
            yield Problem(
                str(step.path), f"has the same number as {first.path}", "give one of them a free number"
            )
        if step.in_history:
            first = names.setdefault(step.name, step)
            if first is not step:
                yield Problem(
                    str(step.path),
                    f"has the same name as {first.path}",
                    "the history could not tell them apart",
                )


def fingerprint_inputs(step: Step) -> str:
    """A digest of what `inputs:` names: paths and contents; a file that appears or vanishes changes it."""
    digest = hashlib.sha256()
    for pattern in step.header.inputs:
        for path in sorted(glob.glob(pattern, recursive=True)):
            digest.update(path.encode() + b"\0")
            if os.path.isfile(path):
                digest.update(_digest(Path(path)))
    return digest.hexdigest()


def _digest(path: Path) -> bytes:
    """Empty when the file is gone by now. Raises NotPermitted when this user may not read it."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except FileNotFoundError:
        return b""
    except PermissionError:
        raise NotPermitted(f"{path} may not be read by this user", hint="run it as root") from None
