# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured of mirroring, what it is held against, and what is to be reached."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from contenders import APT_MIRROR, DEBMIRROR, REPOSYNC, apt_get, aptly, curl, dry, ours
from latency_proxy import latency
from races import LIMIT, MEGABYTE, US, Card, Course, Race, Stage, race, subject
from repositories import Repository, Shape, provide
from table import Row

GIGABYTE = 1_000_000_000
ROUND_TRIP = 20.0


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: the repositories, how often, the size of the disks in gigabytes."""

    small: Shape
    large: Shape
    main: Shape
    rpm: Shape
    rounds: int
    rounds_of_main: int
    disk: int


@dataclass(slots=True)
class Bench:
    """What all measures share."""

    effort: Effort
    course: Course
    directory: Path
    races: list[Race] = field(default_factory=list)

    def repository(self, shape: Shape) -> Repository:
        return provide(self.directory, shape)

    def run(self, card: Card) -> Race:
        result = race(self.course, card)
        self.races.append(result)
        return result


def warm_up(bench: Bench) -> None:
    """To make the bytecode. What fails here fails in the measures too, and is told there."""
    kinds: tuple[Literal["deb", "rpm"], ...] = ("deb", "rpm")
    for kind in kinds:
        repository = bench.repository(Shape(f"warm-up-{kind}", kind, 0, median=0, invented=20))
        card = Card("warm-up", repository, [ours()], 1)
        for each in (card, replace(card, roots=tuple(repository.roots()))):
            with contextlib.suppress(RuntimeError):
                race(bench.course, each)


def full_small(bench: Bench) -> Iterator[Row]:
    repository = bench.repository(bench.effort.small)
    contenders = [ours(), curl(16), APT_MIRROR, aptly(4), aptly(16), DEBMIRROR]
    result = bench.run(Card("full mirror, cold", repository, contenders, bench.effort.rounds))
    yield _against_limit(result, 1.5)


def full_large(bench: Bench) -> Iterator[Row]:
    """The same with more, and what a second run costs, without and with changes."""
    repository = bench.repository(bench.effort.large)
    stages: Sequence[Stage] = ("cold", "again", "changed")
    contenders = [ours(), curl(16), APT_MIRROR, aptly(4), DEBMIRROR]
    result = bench.run(Card("full mirror", repository, contenders, bench.effort.rounds, stages))
    yield _against_limit(result, 1.25)
    size = sum(file.size for file in repository.packages())
    processor = result.processor(US) / (size / GIGABYTE)
    others = _others(result, "cold", lambda name: f"{result.processor(name) / (size / GIGABYTE):.1f} s")
    yield Row(
        f"{subject(result)}: processor time a GB",
        f"{processor:.1f} s",
        others,
        to_reach="at most 3 s",
        reached=processor <= 3,
    )
    yield _memory(result, 120)
    yield _unchanged(result)
    yield _changed(result, repository)


def _unchanged(result: Race) -> Row:
    took, requests = result.wall(US, "again"), result.requests(US, "again")
    return Row(
        f"{subject(result)}, nothing changed: second run",
        f"{took:.2f} s, {_requests(requests)}",
        _others(result, "again", lambda n: f"{result.wall(n, 'again'):.2f} s, {result.requests(n, 'again')}"),
        to_reach="under 0.4 s, 1 request",
        reached=took < 0.4 and requests == 1,
    )


def _changed(result: Race, repository: Repository) -> Row:
    before = {file.path for file in repository.packages("base")}
    new = sum(file.path not in before for file in repository.packages("changed"))
    took, requests = result.wall(US, "changed"), result.requests(US, "changed")
    return Row(
        f"{subject(result)}, {new} changed",
        f"{took:.2f} s, {_requests(requests)}",
        _others(
            result, "changed", lambda n: f"{result.wall(n, 'changed'):.2f} s, {result.requests(n, 'changed')}"
        ),
        f"{took / result.wall(US):.2f} of the cold run's time",
        f"at most {new + 3} requests",
        requests <= new + 3,
    )


def full_rpm(bench: Bench) -> Iterator[Row]:
    repository = bench.repository(bench.effort.rpm)
    stages: Sequence[Stage] = ("cold", "again")
    contenders = [ours(), curl(16), REPOSYNC]
    result = bench.run(Card("full mirror", repository, contenders, bench.effort.rounds, stages))
    yield _against_limit(result, 1.6)
    yield _unchanged(result)


def distant(bench: Bench) -> Iterator[Row]:
    """Over a round trip of 20 ms, with 16 connections and with 64."""
    repository = bench.repository(bench.effort.small)
    wide = ours(f"{US}, 64 connections", connections=64)
    contenders = [ours(connections=16), wide, curl(16), APT_MIRROR, aptly(16)]
    with latency(bench.course.server.port, ROUND_TRIP) as port:
        title = f"full mirror, cold, round trip {ROUND_TRIP:g} ms"
        address = f"http://127.0.0.1:{port}"
        result = bench.run(Card(title, repository, contenders, bench.effort.rounds, address=address))
    yield _against_limit(result, 1.1)
    yield _against_limit(result, 0.4, wide.name)


def partial(bench: Bench) -> Iterator[Row]:
    repository = bench.repository(bench.effort.large)
    roots = tuple(repository.roots())
    contenders = [ours(), aptly(4), apt_get("-y", "-d", "install")]
    card = Card("partial mirror, end to end", repository, contenders, bench.effort.rounds, roots=roots)
    result = bench.run(card)
    took = result.wall(US)
    yield Row(
        f"{subject(result)}, {len(roots)} roots",
        f"{took:.2f} s",
        _others(result, "cold", lambda name: f"{result.wall(name):.2f} s"),
        to_reach="under 0.6 s",
        reached=took < 0.6,
    )


def closure(bench: Bench) -> Iterator[Row]:
    """All of Debian's main: read the index, work out what the roots need, fetch no package."""
    repository = bench.repository(bench.effort.main)
    roots = tuple(repository.roots())
    contenders = [dry(), apt_get("-s", "install")]
    stages: Sequence[Stage] = ("cold", "again")
    title = "index and closure"
    result = bench.run(Card(title, repository, contenders, bench.effort.rounds, stages, roots))
    yield _closure_row(result, "cold", "index fetched", 1.0)
    yield _closure_row(result, "again", "index held", 0.4)


def _closure_row(result: Race, stage: Stage, state: str, to_reach: float) -> Row:
    took = result.wall(US, stage)
    return Row(
        f"{subject(result)}, {len(result.card.roots)} roots, {state}",
        f"{took:.2f} s",
        _others(result, stage, lambda name: f"{result.wall(name, stage):.2f} s"),
        to_reach=f"under {to_reach} s",
        reached=took < to_reach,
    )


def memory(bench: Bench) -> Iterator[Row]:
    repository = bench.repository(bench.effort.main)
    contenders = [ours(), aptly(4)]
    result = bench.run(Card("full mirror, cold", repository, contenders, bench.effort.rounds_of_main))
    yield _memory(result, 250)


Measure = Callable[[Bench], Iterator[Row]]
MEASURES: Mapping[str, Measure] = {
    "small": full_small,
    "large": full_large,
    "rpm": full_rpm,
    "distant": distant,
    "partial": partial,
    "closure": closure,
    "memory": memory,
}


# Words ----------------------------------------------------------------------------------------------------


def _against_limit(result: Race, to_reach: float, name: str = US) -> Row:
    what = subject(result) + ("" if name == US else name.removeprefix(US))
    took = f"{result.wall(name):.2f} s"
    others = _others(result, "cold", lambda other: f"{result.wall(other):.2f} s")
    if not result.has(LIMIT):
        return Row(what, took, others)
    ratio = result.ratio(name, LIMIT)
    return Row(what, took, others, f"{ratio:.2f}x {LIMIT}", f"{to_reach}x", ratio <= to_reach)


def _memory(result: Race, megabytes: int) -> Row:
    peak = result.peak(US) / MEGABYTE
    return Row(
        f"{subject(result)}: peak memory",
        f"{peak:.0f} MB",
        _others(result, "cold", lambda name: f"{result.peak(name) / MEGABYTE:.0f} MB"),
        to_reach=f"at most {megabytes} MB",
        reached=peak <= megabytes,
    )


def _others(result: Race, stage: Stage, figure: Callable[[str], str]) -> str:
    """Each peer with its figure; those that could not take part with the reason."""
    told = []
    for contender in result.card.contenders:
        if contender.name.startswith(US):
            continue
        if result.has(contender.name, stage):
            told.append(f"{contender.name} {figure(contender.name)}")
        elif contender.missing:
            told.append(contender.missing)
    return "; ".join(told)


def _requests(count: int) -> str:
    return "1 request" if count == 1 else f"{count} requests"
