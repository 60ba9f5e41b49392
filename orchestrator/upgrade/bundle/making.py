# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle, from the question what it is about to the file with its name."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from orchestrator import __version__
from orchestrator.host import clock, facts, files
from orchestrator.upgrade.bundle import known, run_record
from orchestrator.upgrade.bundle.archive import Archive
from orchestrator.upgrade.bundle.collecting import Collection, collect
from orchestrator.upgrade.bundle.host_facts import host_sources, systemd_sources
from orchestrator.upgrade.bundle.listing import render_json, render_text
from orchestrator.upgrade.bundle.redaction import Redactor
from orchestrator.upgrade.bundle.service_states import describe_services
from orchestrator.upgrade.bundle.sources import Commands, Source, guarded, text_source
from orchestrator.upgrade.bundle.subject import Subject, read_document

SUFFIX = ".tar.zst"


@dataclass(frozen=True, slots=True)
class Made:
    """`path` is None where it went to a descriptor; `size` in bytes."""

    path: Path | None
    size: int
    collection: Collection


def default_name(subject: Subject) -> str:
    return f"orchestrator-bundle-{subject.name}{SUFFIX}"


def write_bundle(subject: Subject, path: Path, most: int, tell: Callable[[str], None]) -> Made:
    """The bundle as the file `path`, which only its owner may read: the whole of it or none. `most`: bytes of one log.

    Raises OSError.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # of mode 0600
    temporary = Path(name)
    try:
        try:
            collection = _write(subject, _root(path.name), path.parent, descriptor, most, tell)
            files.settle_file(descriptor, temporary, path)
        finally:
            os.close(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    return Made(path, path.stat().st_size, collection)


def stream_bundle(subject: Subject, descriptor: int, most: int, tell: Callable[[str], None]) -> Made:
    """The bundle to a descriptor. Raises OSError."""
    collection = _write(subject, _root(default_name(subject)), None, descriptor, most, tell)
    return Made(None, 0, collection)


def _root(name: str) -> str:
    return name.removesuffix(SUFFIX) or "orchestrator-bundle"


def _write(
    subject: Subject,
    root: str,
    directory: Path | None,
    descriptor: int,
    most: int,
    tell: Callable[[str], None],
) -> Collection:
    tell("looking for secrets")
    redactor = Redactor(set(known_secrets(subject)))
    now = clock.now()
    with Archive(redactor.redact(root)[0], directory, now.timestamp()) as archive:
        found = collect(sources(subject, redactor, most), redactor, archive, tell)
        heading = {
            "made": clock.timestamp(),
            "orchestrator": __version__,
            "host": facts.host_name(),
            "user": facts.user_name(),
            "run": subject.run.id if subject.run else "none",
            "configuration": str(subject.path),
        }
        heading = {name: redactor.redact(value)[0] for name, value in heading.items()}
        first = [
            ("CONTENTS.txt", render_text(heading, found)),
            ("contents.json", render_json(heading, found)),
        ]
        archive.finish([(name, text.encode("utf-8", "surrogateescape")) for name, text in first], descriptor)
    return found


def known_secrets(subject: Subject) -> Iterator[str]:
    """Everything on this host that is known to be secret, as far as it can be read."""
    yield from known.of_document(subject.document, subject.path.parent)
    if subject.mirrors:
        yield from known.of_document(read_document(subject.mirrors), subject.mirrors.parent)
    yield from known.of_environment(os.environ)
    yield from known.of_home(Path.home())
    if facts.systemd_runs():
        for unit in subject.units:
            yield from known.of_unit(unit)


def sources(subject: Subject, redactor: Redactor, most: int) -> Iterator[Source]:
    """What goes in, in its order: the run first."""
    commands = Commands()
    yield from guarded("run", "the run", run_record.run_sources(subject, redactor, most))
    yield from guarded("state", "the state directory", run_record.state_sources(subject, most))
    yield from guarded("configuration", "the configuration", run_record.configuration_sources(subject))
    setting = subject.setting
    if setting:
        yield text_source("services.json", "how the services are", lambda: describe_services(setting))
    yield from guarded("logs", "logs of services", run_record.log_sources(subject, commands, most))
    yield from guarded("content", "the content engine", run_record.content_sources(subject))
    yield from guarded("host", "the host", host_sources(commands, subject.directories()))
    if facts.systemd_runs():
        began = subject.state.started if subject.state else ""
        yield from guarded("units", "units", systemd_sources(commands, subject.units, shortly_before(began)))


def shortly_before(time: str) -> str:
    """The hour before a run is of interest as well; as journalctl reads it. Empty for what is no time."""
    try:
        moment = datetime.fromisoformat(time) - timedelta(hours=1)
    except ValueError:
        return ""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
