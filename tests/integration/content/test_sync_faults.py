# SPDX-License-Identifier: GPL-3.0-or-later
"""Media as the real writers make them, that come in whatever order, incomplete, doubled, mixed up or damaged: what is
imported is what was sent, or nothing of it is to be seen."""

import itertools
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.content.imports.outcome import Fate, ImportOutcome
from orchestrator.errors import BadContent, ExitCode, Invalid, OrchestratorError, Refused
from tests.support.damage import Spot, flip, spots
from tests.support.real_media import FORMATS, Chain, Receiver, made_chain, trees_of

CHUNKED = FORMATS[1:]
Result = ImportOutcome | OrchestratorError


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with made_chain() as made:
        yield made


@pytest.fixture
def place(chain: Chain) -> Iterator[Path]:
    directory = chain.place / "test"
    directory.mkdir()
    yield directory
    shutil.rmtree(directory)


def attempt(receiver: Receiver, *media: Path) -> Result:
    try:
        return receiver.take(*media)
    except OrchestratorError as error:
        return error


def is_complete(chain: Chain, receiver: Receiver) -> bool:
    return trees_of(receiver.served()) == chain.after and receiver.leftovers() == []


# Which media come, and when ---------------------------------------------------------------------------


@pytest.mark.parametrize("format_", CHUNKED)
def test_media_come_one_by_one_in_every_order(chain: Chain, place: Path, format_: str) -> None:
    media = chain.media(format_)
    orders = list(itertools.permutations(media))
    for number, order in enumerate(orders if len(orders) < 7 else random.Random(3).sample(orders, 5)):
        with chain.receiver(place / str(number)) as receiver:
            for medium in order[:-1]:
                outcome = receiver.take(medium)
                assert outcome.exit_code is ExitCode.LOSSES
                check(chain, receiver, outcome)
            assert receiver.take(order[-1]).exit_code is ExitCode.DONE
            assert is_complete(chain, receiver)


@pytest.mark.parametrize("format_", CHUNKED)
def test_whichever_medium_is_missing_is_named_and_ends_it_when_it_comes(
    chain: Chain, place: Path, format_: str
) -> None:
    media = chain.media(format_)
    for number, missing in enumerate(media):
        with chain.receiver(place / str(number)) as receiver:
            outcome = receiver.take(*(medium for medium in media if medium != missing))
            assert outcome.exit_code is ExitCode.LOSSES
            [export] = outcome.exports
            assert [chunk for chunk, _ in export.missing.chunks] == [number + 1]
            check(chain, receiver, outcome)
            assert receiver.take(missing).exit_code is ExitCode.DONE
            assert is_complete(chain, receiver)


@pytest.mark.parametrize("format_", CHUNKED)
def test_media_that_come_twice_at_once_and_again_do_no_harm(chain: Chain, place: Path, format_: str) -> None:
    media = chain.media(format_)
    copies = [Path(shutil.copy(medium, place / f"copy-{medium.name}")) for medium in media]
    with chain.receiver(place / "here") as receiver:
        assert receiver.take(media[0], copies[0]).exit_code is ExitCode.LOSSES
        assert receiver.take(copies[0], media[1]).exit_code is ExitCode.LOSSES
        assert receiver.take(*media, *copies).exit_code is ExitCode.DONE
        assert is_complete(chain, receiver)
        before = receiver.state()
        assert receiver.take(*copies).exit_code is ExitCode.DONE
        assert receiver.state() == before


def test_media_of_other_formats_are_exports_of_their_own_with_the_same_content(
    chain: Chain, place: Path
) -> None:
    tar, tgz, iso = (chain.media(format_) for format_ in CHUNKED)
    with chain.receiver(place / "here") as receiver:
        outcome = receiver.take(tar[0], tgz[1], iso[2])
        assert outcome.exit_code is ExitCode.LOSSES
        assert [each.state for each in outcome.exports] == 3 * ["going on"], "none of them is all there"
        assert len(list((receiver.root / "imports").glob("*/"))) == 3
        outcome = receiver.take(*iso)
        assert trees_of(receiver.served()) == chain.after
        assert [each.state for each in outcome.exports] == 3 * ["complete"], "each has what it needs"
        assert is_complete(chain, receiver)


# Media that are cut off -------------------------------------------------------------------------------


def cuts(data: bytes, chance: random.Random) -> list[int]:
    """The edges of a header and of a descriptor, and what may be anywhere."""
    edges = chance.sample([0, 1, 511, 512, 513, 32_768, 32_774, len(data) - 2048], 3)
    return sorted({*edges, len(data) // 2, len(data) - 1, chance.randrange(len(data))})


@pytest.mark.parametrize("format_", CHUNKED)
@pytest.mark.parametrize("which", [0, 1])
def test_a_medium_that_is_cut_off_anywhere_is_taken_as_far_as_it_goes(
    chain: Chain, place: Path, format_: str, which: int
) -> None:
    media = chain.media(format_)
    data = media[which].read_bytes()
    cut = place / media[which].name
    for length in cuts(data, random.Random(which)):
        cut.write_bytes(data[:length])
        with chain.receiver(place / str(length)) as receiver:
            unchanged = receiver.state()
            check_alone(chain, receiver, attempt(receiver, cut), unchanged)
            outcome = attempt(receiver, *(medium for medium in media if medium != media[which]), cut)
            check(chain, receiver, outcome)
            assert receiver.take(media[which]).exit_code is ExitCode.DONE
            assert is_complete(chain, receiver), length


@pytest.mark.parametrize("gone", [False, True], ids=["cut off", "gone"])
def test_a_directory_with_a_file_that_is_not_whole_is_refused_or_goes_on(
    chain: Chain, place: Path, gone: bool
) -> None:
    [whole] = chain.media("dir")
    for number, spot in enumerate(spots(whole, random.Random(5), 1, 0)):
        damaged = place / f"damaged-{number}"
        shutil.copytree(whole, damaged)
        if gone:
            (damaged / spot.path).unlink()
        else:
            os.truncate(damaged / spot.path, spot.offset)
        damage(chain, place / "here", [damaged], [whole], spot)


# One bit ----------------------------------------------------------------------------------------------


CASES = [("dir", True), *((format_, alone) for format_ in CHUNKED for alone in (True, False))]
# What of a medium is noticed when it is wrong and nothing else is there; in what is packed, nobody knows what is where.
NOTICED = {"manifest.json", "manifest.sig", "inventories"}
KINDS = {
    "dir": NOTICED | {"content"},
    "tar": NOTICED | {"chunks", "objects", "segment", "structure"},
    "tgz": {"structure"},
    "iso": NOTICED | {"chunks", "objects", "segment", "structure"},
}


@pytest.mark.parametrize(("format_", "alone"), CASES)
def test_one_flipped_bit_is_refused_or_repaired_by_another_copy(
    chain: Chain, place: Path, format_: str, alone: bool
) -> None:
    """On a medium that is `alone`, or given together with all others."""
    media = chain.media(format_)
    chance = random.Random(f"{format_} {alone}")
    noticed: set[str] = set()
    # The first has whole objects, the last a segment, too.
    for medium in (media[0], media[-1]) if alone else media[:1]:
        for spot in some_of(spots(medium, chance, 1, 4), medium is media[0]):
            damaged = flip(medium, spot, place / f"damaged{medium.suffix}", chance.randrange(8))
            given = [damaged] if alone else [damaged, *(each for each in media if each != medium)]
            noticed |= {spot.kind} if damage(chain, place / "here", given, media, spot) else set()
    missed = KINDS[format_] - noticed
    # Of what every medium has, another's copy is taken; only some bits of headers mean anything; and whether a segment
    # is damaged nobody knows before the others have come.
    assert missed <= {"segment", "structure"} | (set() if alone else {"inventories", "chunks"}), missed


def some_of(found: list[Spot], every: bool) -> list[Spot]:
    return [spot for spot in found if every or spot.kind in ("segment", "objects")]


def damage(chain: Chain, here: Path, given: list[Path], good: list[Path], spot: Spot) -> bool:
    """Import what was damaged, then what is good; whether the damage was noticed."""
    with chain.receiver(here) as receiver:
        unchanged = receiver.state()
        result = attempt(receiver, *given)
        check(chain, receiver, result)
        if len(given) == 1:
            check_alone(chain, receiver, result, unchanged)
        noticed = isinstance(result, OrchestratorError) or bool(
            result.damaged or any(report.error or report.problems for report in result.media)
        )
        assert receiver.take(*good).exit_code is ExitCode.DONE, spot
        assert is_complete(chain, receiver), spot
    shutil.rmtree(here)
    return noticed


def check(chain: Chain, receiver: Receiver, result: Result) -> None:
    """Each tree is the one from before, or the whole new one; and it is told which."""
    trees = trees_of(receiver.served())
    for path, tree in trees.items():
        assert tree in (chain.before.get(path), chain.after.get(path)), path
    assert trees.keys() >= chain.before.keys()
    if isinstance(result, OrchestratorError):
        assert isinstance(result, BadContent | Refused | Invalid), result
        assert trees == chain.before
        return
    for export in result.exports:
        for each in export.items:
            path = f"acme/library/default/{each.item.name}"
            if each.item.kind == "repository" and each.fate in (Fate.CREATED, Fate.UPDATED, Fate.UNCHANGED):
                assert trees[path] == chain.after[path], path
            elif each.item.kind == "repository":
                assert trees.get(path) == chain.before.get(path), path
    if result.exit_code is ExitCode.DONE:
        assert trees == chain.after


def check_alone(chain: Chain, receiver: Receiver, result: Result, unchanged: object) -> None:
    """Of a medium of which nothing at all could be taken nothing is left."""
    if isinstance(result, OrchestratorError):
        assert receiver.state() == unchanged
