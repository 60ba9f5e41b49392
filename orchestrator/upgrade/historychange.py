# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing the history by hand: under the run lock, with a reason, each change on record.

`state_dir/history-changes.jsonl` keeps who changed what, when and why; the history file itself only says
what is so now.
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from orchestrator.errors import Invalid, StateUnwritable, UsageError
from orchestrator.host import clock, facts, files
from orchestrator.upgrade import lock, preflight
from orchestrator.upgrade.announcing import renew_message
from orchestrator.upgrade.dataversion import data_version, note_version
from orchestrator.upgrade.due import matches
from orchestrator.upgrade.header import RunRule
from orchestrator.upgrade.history import Entry, HistoryFile, Mark, parse_history
from orchestrator.upgrade.plan import make_plan
from orchestrator.upgrade.requests import settle_request
from orchestrator.upgrade.scripts import Kind, Step, fingerprint_inputs
from orchestrator.upgrade.setting import Setting
from orchestrator.upgrade.survey import product_version, read_definitions, read_situation

LOG_NAME = "history-changes.jsonl"


def mark(setting: Setting, patterns: Sequence[str], as_what: Mark, reason: str) -> tuple[str, ...]:
    """Record the named steps with `as_what`; their names. Raises UsageError for a step that is not there."""
    steps = [step for pattern in patterns for step in _find(setting, pattern)]
    with _opened(setting) as history:
        for step in steps:
            history.record(_entry(step, as_what, reason))
        names = tuple(step.name for step in steps)
        _log(setting, as_what.value, names, reason)
    return names


def baseline(setting: Setting, reason: str, only: Sequence[str] = ()) -> tuple[str, ...]:
    """Record every one-shot step, or those that a pattern of `only` means, that has no line yet. What nothing has
    upgraded so far counts from then on as data of the product's version, and needs no upgrade for having come."""
    steps = [step for step in _steps(setting) if step.kind is Kind.UPGRADE]
    if only:
        steps = [step for step in steps if any(matches(pattern, step) for pattern in only)]
    with _opened(setting) as history:
        new = [step for step in steps if history.history.get(step.name) is None]
        for step in new:
            history.record(_entry(step, Mark.BASELINE, reason))
        names = tuple(step.name for step in new)
        _log(setting, Mark.BASELINE.value, names, reason)
        if data_version(setting.config.state_dir) is None:
            _begin_with_this_version(setting)
    return names


def _begin_with_this_version(setting: Setting) -> None:
    """Note it as that of the data, and take away the request that the installation itself has left."""
    state_dir = setting.config.state_dir
    with contextlib.suppress(Invalid):  # a command that cannot tell it yet
        if version := product_version(setting.config):
            note_version(state_dir, version)
    plan = make_plan(read_situation(setting.config, setting.registry))
    if plan.request and not plan.resumed and not plan.waiting:
        settle_request(state_dir, plan.request)
        renew_message(setting)


def redo(setting: Setting, patterns: Sequence[str], reason: str) -> tuple[str, ...]:
    """Make the named steps due again. Raises UsageError for one that exists and is due already."""
    steps = [step for pattern in patterns for step in _find(setting, pattern)]
    with _opened(setting) as history:
        undone = [step.name for step in steps if history.history.get(step.name) is None]
        if undone:
            raise UsageError(f"{', '.join(undone)}: has no line in the history, so it is due already")
        names = tuple(step.name for step in steps)
        _log(setting, "redo", names, reason)
        history.remove(names)
    return names


def forget(setting: Setting, names: Sequence[str], reason: str) -> tuple[str, ...]:
    """Take the lines of `names` out. Raises UsageError for a name without a line."""
    with _opened(setting) as history:
        unknown = [name for name in names if history.history.get(name) is None]
        if unknown:
            raise UsageError(
                f"{', '.join(unknown)}: not in the history", hint="see: orchestrator history list"
            )
        _log(setting, "forget", tuple(names), reason)
        history.remove(names)
    return tuple(names)


def import_file(setting: Setting, file: Path, reason: str) -> tuple[str, ...]:
    """Record every name in `file` that has no line yet. Raises Invalid when it cannot be read."""
    try:
        incoming = parse_history(file.read_bytes().decode())
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Invalid(f"{file} is not UTF-8 text") from None
    if not incoming.entries:
        raise Invalid(f"{file} holds no step names; nothing was changed")
    with _opened(setting) as history:
        new = [entry for entry in incoming.entries.values() if history.history.get(entry.name) is None]
        for entry in new:
            history.record(_stamp(entry.name, entry.sha256, Mark.IMPORTED, reason))
        names = tuple(entry.name for entry in new)
        _log(setting, "import", names, reason)
    return names


def _steps(setting: Setting) -> tuple[Step, ...]:
    return read_definitions(setting.config, setting.registry).scripts.steps


def _find(setting: Setting, pattern: str) -> list[Step]:
    """The steps a pattern means that the history can know."""
    found = [step for step in _steps(setting) if step.in_history and matches(pattern, step)]
    if not found:
        raise UsageError(
            f"{pattern}: no one-shot or on-change step has this name or number",
            hint="see: orchestrator scripts list",
        )
    return found


def _entry(step: Step, as_what: Mark, reason: str) -> Entry:
    inputs = fingerprint_inputs(step) if step.run_rule is RunRule.ON_CHANGE else ""
    return _stamp(step.name, step.sha256, as_what, reason, inputs)


def _stamp(name: str, sha256: str, as_what: Mark, reason: str, inputs: str = "") -> Entry:
    details = {"reason": reason, "by": facts.user_name(), **({"inputs": inputs} if inputs else {})}
    return Entry(name, clock.timestamp(), sha256, as_what, details)


@contextlib.contextmanager
def _opened(setting: Setting) -> Iterator[HistoryFile]:
    preflight.make_state_directory(setting.config)
    state_dir = setting.config.state_dir
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lock.acquire(state_dir, purpose="history"))
        except lock.Locked:
            # A package that a step installs may do this: the run waits for its step, and writes nothing meanwhile.
            if lock.read_holder(state_dir).get("pid") not in facts.ancestors():
                raise
        history = HistoryFile(state_dir)
        try:
            yield history
        finally:
            history.close()


def _log(setting: Setting, verb: str, names: tuple[str, ...], reason: str) -> None:
    path = setting.config.state_dir / LOG_NAME
    content = {
        "time": clock.timestamp(),
        "user": facts.user_name(),
        "change": verb,
        "steps": list(names),
        "reason": reason,
    }
    try:
        log = files.DurableLog(path)
        try:
            log.append(json.dumps(content))
        finally:
            log.close()
    except OSError as error:
        raise StateUnwritable(f"{path} cannot be written: {error.strerror}") from None
