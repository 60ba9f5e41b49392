# SPDX-License-Identifier: GPL-3.0-or-later
"""The content engine's events and outcomes in words: lines and tables for people, documents for programs. Pure."""

from collections.abc import Callable, Sequence
from typing import Any

from orchestrator.cli.export_events import EXPORT_WORDS
from orchestrator.cli.wording import Line
from orchestrator.config.quantities import show_duration, show_size
from orchestrator.content.events import Event, Name
from orchestrator.content.model import Because, Package
from orchestrator.content.outcome import Outcome, Status
from orchestrator.content.upkeep import Verified

_UNRESOLVED_SHOWN = 10


def describe(event: Event) -> Line | None:
    """A line for an event; None for those that only move a progress bar."""
    word = _WORDS.get(event.name)
    told = word(event.fields) if word else None
    return Line(f"{event.source}: {told.text}", told.style) if told else None


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _resolved(fields: dict[str, Any]) -> Line:
    told = f"{_count(fields['packages'], 'package')} needed"
    if fields["unresolved"]:
        told += f", {_count(fields['unresolved'], 'relation')} unresolved"
    return Line(told)


def _fetching(fields: dict[str, Any]) -> Line:
    if not fields["files"]:
        return Line("nothing to download")
    return Line(f"{_count(fields['files'], 'file')} to download, {show_size(fields['bytes'])}")


def _retrying(fields: dict[str, Any]) -> Line:
    delay = f", again in {show_duration(fields['delay'])}" if fields["delay"] >= 0.1 else ", again now"
    return Line(f"{fields['why']}{delay}", "dim")


def _published(fields: dict[str, Any]) -> Line:
    lost = f", {len(fields['lost'])} lost" if fields["lost"] else ""
    size = show_size(fields["bytes"])
    packages = _count(fields["packages"], "package")
    text = f"published generation {fields['generation']}: {packages}, {size}{lost}"
    return Line(text, "bad" if lost else "good")


_WORDS: dict[Name, Callable[[dict[str, Any]], Line | None]] = {
    Name.READING: lambda fields: Line(f"reading {', '.join(fields['repositories'])}", "dim"),
    Name.UNCHANGED: lambda fields: Line(f"unchanged, generation {fields['generation']}", "good"),
    Name.RESOLVED: _resolved,
    Name.FETCHING: _fetching,
    Name.RETRYING: _retrying,
    Name.LOST: lambda fields: Line(f"lost {fields['what']}: {fields['why']}", "bad"),
    Name.CHECKING: lambda fields: Line(f"checking {_count(fields['files'], 'file')}"),
    Name.CHANGED: lambda _: Line("the upstream changed meanwhile; reading it again"),
    Name.PUBLISHED: _published,
    Name.NOTIFIED: lambda fields: Line(fields["text"], "bad") if fields["exit_code"] else None,
    Name.WARNING: lambda fields: Line(fields["text"], "bad"),
    Name.TAKING: lambda fields: Line(
        f"{_count(fields['objects'], 'object')} missing, {show_size(fields['bytes'])} to come from the media"
    ),
    Name.DAMAGED: lambda fields: Line(
        f"{fields['path'] or 'the rest of it'} was left: {fields['why']}", "bad"
    ),
    **EXPORT_WORDS,
}


def summary(outcome: Outcome) -> list[Line]:
    """What is left to be said of one source when all is done."""
    lines: list[Line] = []
    if outcome.error is not None:
        lines.append(Line(f"{outcome.source}: failed: {outcome.error.message}", "bad"))
        lines += [Line(f"  {problem}", "bad") for problem in outcome.error.problems]
        if outcome.error.hint:
            lines.append(Line(f"  -> {outcome.error.hint}"))
    if outcome.status is Status.PLANNED:
        lines += _plan(outcome)
    if outcome.status in (Status.PUBLISHED, Status.PLANNED):
        lines += unresolved_lines(outcome)
    return lines


def _plan(outcome: Outcome) -> list[Line]:
    fetch = f"{_count(outcome.fetched_files, 'file')}, {show_size(outcome.fetched_bytes)} to download"
    gone = f"{_count(outcome.removed_files, 'file')}, {show_size(outcome.removed_bytes)} to remove"
    return [
        Line(f"{outcome.source}: {_count(outcome.packages, 'package')}, {show_size(outcome.bytes)}", "bold"),
        Line(f"  {fetch}"),
        Line(f"  {gone}"),
    ]


def unresolved_lines(outcome: Outcome) -> list[Line]:
    shown = outcome.unresolved[:_UNRESOLVED_SHOWN]
    lines = [
        Line(f"  unresolved: {u.relation} of {u.by or 'the request'}{_nearest(u.nearest)}") for u in shown
    ]
    more = len(outcome.unresolved) - len(shown)
    if more:
        lines.append(Line(f"  and {more} more: `orchestrator mirror unresolved` lists all", "dim"))
    return lines


def _nearest(text: str) -> str:
    return f" ({text})" if text else ""


def package_row(package: Package) -> tuple[str, ...]:
    size = "-" if package.file.size is None else show_size(package.file.size)
    return (
        package.name,
        package.version,
        package.architecture,
        size,
        f"{package.source}: {package.repository}",
    )


def package_document(package: Package) -> dict[str, Any]:
    digest = package.file.digest
    return {
        "name": package.name,
        "version": package.version,
        "architecture": package.architecture,
        "source": package.source,
        "repository": package.repository,
        "path": package.file.path,
        "size": package.file.size,
        "digest": f"{digest.algorithm}:{digest.value}" if digest else None,
        "section": package.section,
        "origin": package.origin,
    }


def verified_lines(verified: Verified) -> list[Line]:
    """What a check of one mirror found, and what became of it."""
    name, report = verified.name, verified.report
    if report.ok:
        what = f"{_count(report.files, 'file')}, {show_size(report.bytes)}" if report.bytes else "the sizes"
        return [Line(f"{name}: {what}: all as published", "good")]
    lines = [Line(f"{name}: {len(report.damaged)} of {report.files} files are damaged", "bad")]
    lines += [Line(f"  {problem}", "bad") for problem in report.damaged]
    if verified.repair is None:
        lines.append(Line(f"  -> `orchestrator mirror verify --repair {name}` brings them in again"))
    elif verified.ok:
        lines.append(Line(f"{name}: repaired, generation {verified.repair.generation} is published", "good"))
    else:
        lines += summary(verified.repair)
    return lines


def verified_document(verified: Verified) -> dict[str, Any]:
    return {
        "name": verified.name,
        "ok": verified.ok,
        "files": verified.report.files,
        "bytes": verified.report.bytes,
        "damaged": [str(problem) for problem in verified.report.damaged],
        "repair": verified.repair.to_json() if verified.repair else None,
    }


def chain_lines(links: Sequence[Any]) -> list[Line]:
    """The chain that brings a package in, each link under the one it explains."""
    lines = [Line(str(links[0].package), "bold")]
    for depth, link in enumerate(links, 1):
        indent = "  " * depth
        reason = link.reason
        if reason.because is Because.REQUESTED:
            lines.append(Line(f"{indent}requested: {reason.relation}"))
        elif reason.by is None:
            lines.append(Line(f"{indent}{reason.because}"))
        else:
            lines.append(Line(f"{indent}<- {reason.by} {reason.because} {reason.relation}"))
    return lines
