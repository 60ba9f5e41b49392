# SPDX-License-Identifier: GPL-3.0-or-later
"""Which exports go, by count, age and size. Pure.

Exports of one subject for one destination are a line. Of each line these stay, whatever the rules say: those that
are pinned; the newest, which the next increment is built on; and, one after the other, what that is built on: a
receiver that has lost everything is brought up to date with them. Who wants room more than that says so
(`bases=False`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from orchestrator.content.catalog.exports import ExportRecord
from orchestrator.content.exports.manifest import Base
from orchestrator.content.settings import ExportRules

Line = tuple[str, str, str, str]


def line_of(record: ExportRecord) -> Line:
    return record.organization, record.subject.kind, record.subject.name, record.destination


def outdated(
    records: Iterable[ExportRecord],
    rules: ExportRules,
    now: datetime,
    base_of: Callable[[ExportRecord], Base | None],
    *,
    bases: bool = True,
) -> list[tuple[ExportRecord, str]]:
    """The complete exports that are to go, the oldest first, and why. `base_of` reads the manifest of one."""
    lines = defaultdict(list)
    for record in records:
        if record.state == "complete":
            lines[line_of(record)].append(record)
    staying: set[int] = set()
    gone: dict[int, str] = {}
    everything: list[ExportRecord] = []
    oldest = _moment(now - timedelta(seconds=rules.max_age)) if rules.max_age else ""
    for line in lines.values():
        line.sort(key=_age, reverse=True)
        everything += line
        staying |= {each.number for each in line if each.pinned} | _needed(line, base_of, bases=bases)
        if rules.keep:
            gone |= {each.number: f"older than the newest {rules.keep}" for each in line[rules.keep :]}
        if oldest:
            gone |= {each.number: "older than the rules allow" for each in line if each.made < oldest}
    everything.sort(key=_age, reverse=True)
    total = 0
    for each in everything:
        if each.number in gone and each.number not in staying:
            continue
        total += each.bytes
        if rules.max_bytes and total > rules.max_bytes:
            gone.setdefault(each.number, "all exports together are too large")
    return [
        (each, gone[each.number]) for each in reversed(everything) if each.number in gone.keys() - staying
    ]


def _age(record: ExportRecord) -> tuple[str, int]:
    return record.made, record.number


def _moment(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _needed(
    line: Sequence[ExportRecord], base_of: Callable[[ExportRecord], Base | None], *, bases: bool
) -> set[int]:
    """The newest of a line (newest first), and with `bases` what it is built on, as far as that is there."""
    needed = {line[0].number}
    base = base_of(line[0]) if bases else None
    while base is not None:
        found = next((each for each in line if each.number not in needed and _is_it(each, base)), None)
        if found is None:
            break
        needed.add(found.number)
        base = base_of(found)
    return needed


def _is_it(record: ExportRecord, base: Base) -> bool:
    return record.export_id == base.export or bool(base.receipt and record.receipt == base.receipt)


def built_on(
    record: ExportRecord, others: Iterable[ExportRecord], base_of: Callable[[ExportRecord], Base | None]
) -> list[ExportRecord]:
    """Those of `others` that are increments of this one."""
    found = []
    for each in others:
        base = base_of(each) if each.kind == "increment" else None
        if base is not None and each.number != record.number and _is_it(record, base):
            found.append(each)
    return found
