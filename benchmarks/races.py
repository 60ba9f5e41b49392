# SPDX-License-Identifier: GPL-3.0-or-later
"""Races: the contenders of one task in turns (A B C A B C ...), each time on a file system of their own.

A run has stages: `cold` fills an empty directory, `again` repeats the command when nothing has changed,
`changed` when one package in a hundred has.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Literal

import measuring
from contenders import Contender, Task
from content_server import ContentServer, Traffic
from fresh_disk import FreshDisk
from measuring import Patience, Sample, timed
from repositories import Repository
from table import lines

Stage = Literal["cold", "again", "changed"]
# The names of what is measured, and of what it cannot be faster than.
US, LIMIT = "orchestrator", "curl16"
MEGABYTE = 1_000_000
_HEAD = ("contender", "stage", "wall s (min-max)", "processor s", "peak MB", "requests", "statuses", "MB sent", "server s", f"x {LIMIT}")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Heat:
    """One timed run of one contender."""

    sample: Sample
    traffic: Traffic


@dataclass(frozen=True, slots=True)
class Course:
    """Where races are run. `logs`: what the contenders print."""

    server: ContentServer
    disk: FreshDisk
    home: Path
    logs: Path
    patience: Patience


@dataclass(frozen=True, slots=True)
class Card:
    """A race to be run. `address` is that of the server when it is not the server's own; `roots` make it a
    race for a partial mirror."""

    title: str
    repository: Repository
    contenders: Sequence[Contender]
    rounds: int
    stages: Sequence[Stage] = ("cold",)
    roots: tuple[str, ...] = ()
    address: str = ""


@dataclass(slots=True)
class Race:
    """The results of one. Figures are medians over the rounds."""

    card: Card
    heats: dict[tuple[str, Stage], list[Heat]] = field(default_factory=dict)

    def has(self, name: str, stage: Stage = "cold") -> bool:
        return bool(self.heats.get((name, stage)))

    def samples(self, name: str, stage: Stage = "cold") -> list[Sample]:
        return [heat.sample for heat in self.heats[name, stage]]

    def wall(self, name: str, stage: Stage = "cold") -> float:
        return measuring.wall(self.samples(name, stage))

    def processor(self, name: str, stage: Stage = "cold") -> float:
        return measuring.processor(self.samples(name, stage))

    def peak(self, name: str, stage: Stage = "cold") -> float:
        """Bytes of its largest process."""
        return measuring.peak(self.samples(name, stage))

    def requests(self, name: str, stage: Stage = "cold") -> int:
        return round(median(heat.traffic.requests for heat in self.heats[name, stage]))

    def ratio(self, name: str, other: str, stage: Stage = "cold", other_stage: Stage | None = None) -> float:
        """Round by round."""
        return measuring.ratio(self.samples(name, stage), self.samples(other, other_stage or stage))


def race(course: Course, card: Card) -> Race:
    """Those that are not installed do not take part. Raises RuntimeError, with what it printed last, when a
    contender fails."""
    result = Race(card)
    address = card.address or course.server.address
    for _ in range(card.rounds):
        for contender in card.contenders:
            if contender.missing:
                continue
            task = Task(card.repository, address, course.disk.fresh(), course.home, card.roots)
            for stage, heat in _run(course, contender, task, card.stages).items():
                result.heats.setdefault((contender.name, stage), []).append(heat)
    return result


def _run(course: Course, contender: Contender, task: Task, stages: Sequence[Stage]) -> Mapping[Stage, Heat]:
    heats: dict[Stage, Heat] = {}
    task.repository.serve("base")
    command = contender.prepare(task)
    log = course.logs / f"{task.repository.shape.name}-{contender.name.replace(' ', '-')}.log"
    try:
        for stage in stages:
            if stage != "cold" and not contender.updates:
                continue
            task.repository.serve("changed" if stage == "changed" else "base")
            os.sync()
            course.patience.wait()
            course.server.mark()
            sample = _timed(command.argv, command.env, log)
            course.patience.others.append(sample.others)
            heats[stage] = Heat(sample, course.server.traffic())
            if stage == "cold" and command.between and len(stages) > 1:
                _timed(command.between, command.env, log)
    finally:
        task.repository.serve("base")
    return heats


def _timed(argv: Sequence[str], env: Mapping[str, str], log: Path) -> Sample:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        return timed(argv, env, output=descriptor, errors=descriptor)
    except RuntimeError as error:
        lines = log.read_text(errors="replace").strip().splitlines()
        raise RuntimeError(f"{error}: {lines[-1] if lines else 'it said nothing'}") from None
    finally:
        os.close(descriptor)


def subject(result: Race) -> str:
    card = result.card
    return f"{card.title}: {card.repository.count:,} {card.repository.shape.kind}s"


def figures(result: Race) -> Iterator[str]:
    """Everything that was measured in one race, a line for each contender and stage."""
    card = result.card
    yield f"{subject(result)} ({card.repository.shape.name}), {card.rounds} rounds"
    rows = [_HEAD]
    for (name, stage), heats in sorted(result.heats.items(), key=lambda one: one[0][1]):
        walls = [heat.sample.wall for heat in heats]
        last = heats[-1].traffic
        ratio = f"{result.ratio(name, LIMIT, stage, 'cold'):.2f}" if result.has(LIMIT) else ""
        rows.append(
            (
                name,
                stage,
                f"{result.wall(name, stage):.2f} ({min(walls):.2f}-{max(walls):.2f})",
                f"{result.processor(name, stage):.2f}",
                f"{result.peak(name, stage) / MEGABYTE:.0f}",
                str(result.requests(name, stage)),
                str(last),
                f"{last.sent / MEGABYTE:.1f}",
                f"{last.processor:.2f}",
                ratio,
            )
        )
    yield from lines(rows)
