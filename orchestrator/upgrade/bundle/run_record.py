# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bundle tells of a run: its directory, its report, the steps it consists of, the state around it."""

import json
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.upgrade.bundle.redaction import Redactor
from orchestrator.upgrade.bundle.sources import (
    Commands,
    Content,
    Form,
    Source,
    Unavailable,
    file_source,
    text_source,
)
from orchestrator.upgrade.bundle.subject import Subject

# A journal or a plan is of use only as a whole.
_MOST_OF_RECORD = 32 << 20
_MOST_OF_SCRIPT = 1 << 20
_MOST_NAMES = 5000
_WHAT = {
    "plan.json": "the plan as it was confirmed",
    "journal.jsonl": "every event",
    "log": "output of a step",
    "status": "how a step ended",
    "events": "what a step told",
    "progress": "how far a step was",
    "upgrade-history": "one-shot steps that are done",
    "history-changes.jsonl": "who changed the history by hand",
    "data-version": "version of the data",
    "status.json": "where the run under way is",
    "request.json": "an upgrade that was asked for",
    "lock": "who holds the lock",
    "format.json": "format of the state directory",
    "motd": "message of the day",
}


def run_sources(subject: Subject, redactor: Redactor, most: int) -> Iterator[Source]:
    run = subject.run
    if run is None:
        return
    for file in sorted(_files_below(run.path)):
        name = str(file.relative_to(run.path))
        what = _WHAT.get(name) or _WHAT.get(name.rpartition(".")[2], "of the run")
        record = name in ("plan.json", "journal.jsonl")
        yield file_source(f"run/{name}", what, file, most=_MOST_OF_RECORD if record else most)
    if subject.state is None:
        return
    yield Source("report.html", "the run as a page", lambda: _report(subject, redactor, "html"), Form.PAGE)
    yield Source("report.json", "the run for programs", lambda: _report(subject, redactor, "json"), Form.JSON)


def _report(subject: Subject, redactor: Redactor, form: str) -> Content:
    from orchestrator.upgrade.report import make_report, render_html

    assert subject.run is not None
    setting = subject.setting
    product = setting.config.product.name if setting else ""
    command = setting.command if setting else "orchestrator {}".format
    made = make_report(subject.state_dir, subject.run, product=product, command=command, redactor=redactor)
    text = render_html(made) if form == "html" else json.dumps(made.to_json(), indent=1) + "\n"
    return Content(text.encode("utf-8", "surrogateescape"), removed=made.redacted)


def state_sources(subject: Subject, most: int) -> Iterator[Source]:
    """What stands in the state directory beside the runs."""
    directory = subject.state_dir
    yield text_source("state/listing.txt", "names in the state directory", lambda: _listing(directory))
    for file in sorted(_files_in(directory)):
        if not (file.name.endswith(".lock") or file.name.startswith(".")):
            what = _WHAT.get(file.name, "of the state directory")
            yield file_source(f"state/{file.name}", what, file, most=most, optional=True)
    for file in sorted(_files_in(directory / "services")):
        yield file_source(f"state/services/{file.name}", "what a manager remembers", file, most=most)


def configuration_sources(subject: Subject) -> Iterator[Source]:
    yield file_source("configuration/orchestrator.yaml", "the configuration", subject.path)
    if subject.problem:
        yield text_source(
            "configuration/problems.txt", "what is wrong with it", lambda: f"{subject.problem}\n"
        )
    if subject.mirrors:
        yield file_source("configuration/mirrors.yaml", "sources of content", subject.mirrors)
    if subject.config is None:
        return
    for number, layer in enumerate(subject.config.phases):
        for file in sorted(_files_in(layer)):
            yield file_source(f"configuration/phases-{number}/{file.name}", f"a phase, of {layer}", file)
    yield from _scripts(subject)


def _scripts(subject: Subject) -> Iterator[Source]:
    assert subject.setting is not None
    from orchestrator.upgrade.scripts import find_steps

    found = find_steps(subject.setting.config.scripts, subject.setting.registry)
    plan = _planned(subject)
    listed = [
        {
            "id": step.id,
            "path": str(step.path),
            "sha256": step.sha256,
            "sha256_in_the_run": plan.get(step.id, {}).get("sha256"),
            "overrides": str(step.overrides) if step.overrides else None,
        }
        for step in found.steps
    ]
    content = {"steps": listed, "problems": [str(problem) for problem in found.problems]}
    yield text_source(
        "scripts.json", "all steps with their digests", lambda: json.dumps(content, indent=1) + "\n"
    )
    attempts = subject.state.attempts if subject.state else {}
    due = {step for step, planned in plan.items() if planned.get("due")}
    for step in found.steps:
        if step.id in attempts or step.id in due:
            changed = plan.get(step.id, {}).get("sha256") not in (None, step.sha256)
            what = "a step, CHANGED since the run" if changed else "a step of the run"
            yield file_source(f"scripts/{step.id}", what, step.path, most=_MOST_OF_SCRIPT)


def _planned(subject: Subject) -> dict[str, dict[str, Any]]:
    """The steps of the run's plan by id; none where that cannot be read."""
    if subject.run is None:
        return {}
    try:
        return {step["id"]: step for step in subject.run.saved_plan().get("steps", ())}
    except OSError:
        return {}


def log_sources(subject: Subject, commands: Commands, most: int) -> Iterator[Source]:
    """Logs of services, and what their supervisors say."""
    if subject.config is None:
        return
    logs = {name: spec.log for name, spec in subject.config.services.items() if spec.log}
    for name, spec in subject.config.services.items():
        if spec.manager == "process":
            logs.setdefault(name, subject.log_dir / f"{name}.log")
    for name, log in logs.items():
        yield file_source(f"logs/{name}.log", f"log of {name}", log, most=most)
    supervised = {spec.config for spec in subject.config.services.values() if spec.manager == "supervisor"}
    for number, config in enumerate(sorted(supervised, key=str)):
        options = ["--configuration", str(config)] if config else []
        argv = ["supervisorctl", *options, "status"]
        yield commands.source(f"services/supervisor-{number}.txt", "what supervisor says", argv)


def content_sources(subject: Subject) -> Iterator[Source]:
    """Of the content engine no more than the names of what it has."""
    root = subject.config.content.root if subject.config else None
    if root and root.is_dir():
        yield text_source("content/listing.txt", "names of what the content engine has", lambda: _names(root))


def _files_below(directory: Path) -> Iterator[Path]:
    for parent, directories, names in os.walk(directory):
        directories.sort()
        yield from (Path(parent, name) for name in names if not name.endswith(".lock"))


def _files_in(directory: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(directory) if entry.is_file()]
    except OSError:
        return []


def _listing(directory: Path) -> str:
    """As `ls -lR` would have it; the first of very many."""
    lines = []
    for parent, directories, names in os.walk(directory):
        directories.sort()
        lines += [_line(Path(parent, name), directory) for name in sorted([*directories, *names])]
        if len(lines) >= _MOST_NAMES:
            lines.append("...")
            break
    if not lines:
        raise Unavailable("it is empty, missing, or not ours to read")
    return "\n".join(lines) + "\n"


def _line(path: Path, base: Path) -> str:
    try:
        about = path.lstat()
    except OSError as error:
        return f"{path.relative_to(base)}: {error.strerror}"
    changed = datetime.fromtimestamp(about.st_mtime, UTC).isoformat(timespec="seconds")
    owner = f"{about.st_uid}:{about.st_gid}"
    return (
        f"{stat.filemode(about.st_mode)} {owner:>11} {about.st_size:>12} {changed} {path.relative_to(base)}"
    )


def _names(root: Path) -> str:
    """Two levels of names."""
    lines = []
    for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
        lines.append(entry.name + ("/" if entry.is_dir(follow_symlinks=False) else ""))
        if entry.is_dir(follow_symlinks=False) and entry.name != "pool":
            inner = sorted(os.listdir(entry.path))
            lines += [f"  {name}" for name in inner[:200]] + (["  ..."] if len(inner) > 200 else [])
    return "\n".join(lines) + "\n"
