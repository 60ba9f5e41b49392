# SPDX-License-Identifier: GPL-3.0-or-later
"""One fault at a time, of a package, of the list of packages, of the entry file; deb and rpm; full and partial.

Whatever comes of it, a client that polls meanwhile never fails, and what is published is complete.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from orchestrator.content.outcome import Outcome, Status
from tests.support.fault_server import (
    Answer,
    Fault,
    always,
    cut,
    endless,
    fault_server,
    html,
    no_ranges,
    other_bytes,
    redirect,
    reset,
    same_size_other_bytes,
    stall,
    status,
    together,
    truncated,
    with_headers,
    without,
    without_length,
)
from tests.support.mirrored import ENTRY, KINDS, Kind, Mirror, index_paths, mirrored

RIGHT, LOST, FAILED = "right", "lost", "failed"
HALF = 3000


def misplaced(answer: Answer) -> None:
    """A part of the file, but not the one that was asked for."""
    if answer.status == 206:
        answer.body = answer.whole[1:]
        answer.headers["Content-Range"] = f"bytes 1-{len(answer.whole) - 1}/{len(answer.whole)}"


def unasked(answer: Answer) -> None:
    """A part, where all was asked for."""
    answer.status, answer.body = 206, answer.whole[10:]
    answer.headers["Content-Range"] = f"bytes 10-{len(answer.whole) - 1}/{len(answer.whole)}"


def boasting(answer: Answer) -> None:
    """A length that is never reached."""
    answer.length, answer.cut_after = 1 << 40, len(answer.body)


class Case(NamedTuple):
    """`plan` makes the faults; `end` is what must come of it."""

    plan: Callable[[], Iterable[Fault]]
    end: str


def once(*faults: Fault) -> Callable[[], Iterable[Fault]]:
    """One after the other, then all is well."""
    return lambda: list(faults)


def ever(*faults: Fault) -> Callable[[], Iterable[Fault]]:
    return lambda: always(*faults)


PASSING = {
    "the answer is cut in half": Case(once(cut(HALF)), RIGHT),
    "the answer is cut three times": Case(once(cut(100), cut(100), cut(100)), RIGHT),
    "other bytes come first": Case(once(same_size_other_bytes()), RIGHT),
    "503 comes twice": Case(once(status(503), status(503)), RIGHT),
    "429 comes twice": Case(once(status(429, {"Retry-After": "0"}), status(429)), RIGHT),
    "the connection is reset": Case(once(reset(), reset()), RIGHT),
    "the answer stalls": Case(once(stall(100)), RIGHT),
    "no length is told": Case(ever(without_length()), RIGHT),
    "an encoding is told that it has not": Case(ever(with_headers(X_Encoding="gzip")), RIGHT),
}
LASTING = {
    "it is a login page": html(),
    "it is empty": other_bytes(lambda _: b""),
    "it is too short": truncated(100),
    "it has other bytes of the same size": same_size_other_bytes(),
    "it never ends": endless(),
    "it is always cut": together(cut(100), no_ranges()),
    "it is said to be huge": boasting,
    "500": status(500),
    "the connection is always reset": reset(),
    "204": status(204),
    "only a part is given": unasked,
}
ABSENT = {
    "404": status(404),
    "410": status(410),
    "403": status(403),
    "401": status(401),
    "it redirects to itself": redirect("?again"),
    "it redirects to a file of ours": redirect("file:///etc/hostname"),
}
PACKAGE = {
    **PASSING,
    **{name: Case(ever(fault), LOST) for name, fault in {**LASTING, **ABSENT}.items()},
    "half, and the server knows no ranges": Case(once(together(cut(HALF), no_ranges()), no_ranges()), RIGHT),
    "half, and the rest has other bytes": Case(once(cut(HALF), same_size_other_bytes()), RIGHT),
    "half, and another part follows": Case(once(cut(HALF), misplaced), RIGHT),
    "half, and the server knows no validators": Case(
        once(together(cut(HALF), without("ETag", "Last-Modified"))), RIGHT
    ),
    "304 without being asked": Case(ever(status(304)), LOST),
    "it has a byte too many": Case(ever(other_bytes(lambda body: body + b"x")), LOST),
}
INDEX = {
    **PASSING,
    **{name: Case(ever(fault), FAILED) for name, fault in {**LASTING, **ABSENT}.items()},
}
# What is not there is no fault of a deb entry: there may be a Release file instead. A byte is no fault of an
# entry that is longer: what the signature does not cover is not read.
ENTRY_FAULTS = {
    **{name: case for name, case in PASSING.items() if name != "other bytes come first"},
    **{name: Case(ever(fault), FAILED) for name, fault in LASTING.items()},
}


def cases(table: dict[str, Case]) -> "pytest.MarkDecorator":
    return pytest.mark.parametrize("case", table.values(), ids=list(table))


@pytest.fixture(params=[(kind, partial) for kind in KINDS for partial in (False, True)], ids=str)
def mirror(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mirror]:
    """One generation is published, and the upstream has gone on."""
    kind, partial = request.param
    yield from changed(kind, tmp_path, partial=partial)


def changed(kind: Kind, place: Path, *, partial: bool) -> Iterator[Mirror]:
    with mirrored(kind, place, partial=partial) as found:
        found.offer(1)
        assert found.clone().status is Status.PUBLISHED
        found.offer(2)
        yield found


@pytest.fixture(params=[("deb", True), ("rpm", False)], ids=str)
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mirror]:
    """The same; metadata is read in one way for full and partial mirrors."""
    kind, partial = request.param
    yield from changed(kind, tmp_path, partial=partial)


def holds(mirror: Mirror, outcome: Outcome, end: str, before: dict[str, str], about: str) -> None:
    """That all is as the end demands. `about` is the file that the message must name, with its address."""
    if end == LOST and not mirror.rebuilt:
        end = FAILED  # the upstream's own metadata names the lost ones
    assert mirror.wrong() == []
    if end == FAILED:
        assert outcome.status is Status.FAILED
        assert outcome.exit_code == 1
        assert mirror.snapshot() == before
        assert outcome.error is not None
        text = " ".join([outcome.error.message, *map(str, outcome.error.problems)])
        assert mirror.server.url + about in text, text
        return
    assert outcome.status is Status.PUBLISHED, outcome.error
    assert mirror.generation == outcome.generation == 2
    everything = {"web", "db", "other"} if mirror.rebuilt else {"web", "db", "other", "extra"}
    if end == RIGHT:
        assert outcome.exit_code == 0
        assert mirror.packages() == everything
        return
    assert outcome.exit_code == 3
    assert mirror.packages() == {"other"}, "without what is lost, and without what needs it"
    lost = {each.what: each for each in outcome.lost}
    assert lost.keys() == {mirror.address("db")[1:], next(name for name in lost if name.startswith("web "))}
    assert mirror.server.url + about in lost[about].why
    assert len(mirror.incoming()) <= 2, "a half file to go on with, and what is known of it"


@cases(PACKAGE)
def test_a_package_that_cannot_be_had(mirror: Mirror, case: Case) -> None:
    before, path = mirror.snapshot(), mirror.address("db")
    mirror.server.faults[path] = case.plan()
    with mirror.watched():
        outcome = mirror.clone()
    holds(mirror, outcome, case.end, before, path[1:])


@cases(INDEX)
def test_a_list_of_packages_that_cannot_be_had(either: Mirror, case: Case) -> None:
    before, paths = either.snapshot(), index_paths(either.kind, 2)
    plan = iter(case.plan())  # one for all addresses
    for path in paths:
        either.server.faults[f"/{path}"] = plan
    with either.watched():
        outcome = either.clone()
    told = str(outcome.error)
    asked = next((path for path in paths if path in told), paths[0])
    holds(either, outcome, case.end, before, asked)


@cases(ENTRY_FAULTS)
def test_an_entry_file_that_cannot_be_had(either: Mirror, case: Case) -> None:
    before, path = either.snapshot(), ENTRY[either.kind]
    either.server.faults[f"/{path}"] = case.plan()
    with either.watched():
        outcome = either.clone()
    holds(either, outcome, case.end, before, path)


@pytest.mark.parametrize("name", ["Release", "Release.gpg"])
def test_a_file_beside_the_entry_file_that_cannot_be_had_for_now_is_no_file_that_is_not_there(
    mirror: Mirror, name: str
) -> None:
    """A tree that is the upstream's would be without it until the upstream changes."""
    if mirror.kind != "deb":
        name = "repomd.xml.asc"
    path = f"{ENTRY[mirror.kind].rpartition('/')[0]}/{name}"
    before = mirror.snapshot()
    mirror.server.faults[f"/{path}"] = always(status(503))
    outcome = mirror.clone()
    holds(mirror, outcome, RIGHT if mirror.kind == "deb" and mirror.rebuilt else FAILED, before, path)
    mirror.server.faults.clear()
    assert mirror.clone().exit_code == 0
    assert (mirror.published / path).exists()


@pytest.mark.parametrize("fault", ABSENT.values(), ids=list(ABSENT))
def test_an_entry_file_that_is_not_there(either: Mirror, fault: Fault) -> None:
    before, path = either.snapshot(), ENTRY[either.kind]
    either.server.faults[f"/{path}"] = always(fault)
    with either.watched():
        outcome = either.clone()
    holds(either, outcome, RIGHT if either.kind == "deb" else FAILED, before, path)


# More than one ------------------------------------------------------------------------------------------------


def test_more_losses_than_the_budget_leave_the_old_mirror(mirror: Mirror) -> None:
    before = mirror.snapshot()
    mirror.configure(ignore_error_count=1)
    for name in ("db", "other"):
        mirror.server.faults[mirror.address(name)] = always(status(404))
    outcome = mirror.clone()
    assert outcome.exit_code == 1
    assert outcome.error is not None
    assert {problem.where for problem in outcome.error.problems} == {
        mirror.address(name)[1:] for name in ("db", "other")
    }
    assert mirror.snapshot() == before
    assert mirror.wrong() == []
    mirror.configure(ignore_error_count=2)
    assert mirror.clone().exit_code == (3 if mirror.rebuilt else 1)
    assert mirror.wrong() == []


@pytest.mark.parametrize(
    "fault", [html(), same_size_other_bytes(), status(404), status(503), cut(50), reset()]
)
def test_a_second_address_gives_what_the_first_does_not(mirror: Mirror, fault: Fault) -> None:
    """Every file but the entry file is bad at the first."""
    with fault_server(mirror.place / "second") as second:
        second.root = mirror.server.root
        mirror.source["baseurl"] = [mirror.server.url, second.url]
        entry = f"/{ENTRY[mirror.kind]}"
        mirror.server.faults["*"] = lambda asked: None if asked.path.startswith(entry) else fault
        outcome = mirror.clone()
    assert outcome.exit_code == 0, outcome.error
    assert mirror.generation == 2
    assert mirror.wrong() == []
