# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects go onto which medium: first fit, in their order, whole. Pure.

A medium is filled by an estimate of what each object takes up there, then measured, and filled up with what that
left free; what counts is the measure. Objects that do not fit are passed over for later ones, but not for many:
what belongs together stays together. One that no empty medium has room for is cut into segments, which all but the
last fill a medium each.
"""

from collections.abc import Callable, Iterator, Sequence

from orchestrator.content.exports.pieces import Piece
from orchestrator.errors import Refused

# Segments begin where a sector of a disk does.
SECTOR = 2048
_PASSES = 4
_FULL = 500  # so small a part of a medium is not looked for pieces again
_LOOK_AHEAD = 1000
_SAMPLE = 512

# The bytes of a medium with these pieces; more of them, or longer ones, never take less.
Measure = Callable[[Sequence[Piece]], int]


def partition(
    objects: Sequence[Piece], capacity: int, measure: Measure, *, strict: bool, named: Callable[[str], str]
) -> list[list[Piece]]:
    """The pieces of each medium, none of which measures more than `capacity`; one empty medium for no objects.

    Raises Refused when an object has no room whole and `strict` forbids to cut it, `named` says what it is; and when
    a medium has no room for anything.
    """
    if measure([]) > capacity:
        raise _too_small(capacity, measure)
    pieces = _cut(objects, capacity, measure, strict=strict, named=named)
    if not pieces:
        return [[]]
    extra = _extra(pieces, measure)
    waiting, media = list(range(len(pieces))), []
    while waiting:
        taken, waiting = _fill(pieces, waiting, capacity, measure, extra)
        media.append([pieces[place] for place in taken])
    return media


def _too_small(capacity: int, measure: Measure) -> Refused:
    return Refused(
        f"media of {capacity} bytes are too small: what stands on each of them beside the objects takes up "
        f"{measure([])} bytes",
        hint="take larger media",
    )


# --- what is too large


def _cut(
    objects: Sequence[Piece], capacity: int, measure: Measure, *, strict: bool, named: Callable[[str], str]
) -> list[Piece]:
    """The objects, in segments those that an empty medium has no room for. Raises Refused."""
    largest = max((each.size for each in objects), default=0)
    if measure([Piece("0" * 64, largest, 0, largest)]) <= capacity:
        return list(objects)
    most = _most(min(largest, capacity), lambda size: measure([Piece("0" * 64, size, 0, size)]) <= capacity)
    if strict:
        large = next(each for each in objects if each.size > most)
        raise Refused(
            f"{named(large.sha256)} has {large.size} bytes, and a medium has room for {max(0, most)}",
            hint="take larger media, or let it be cut: without --strict-chunks",
        )
    # No segment has a longer name than the last of the largest object.
    sectors = _most(
        capacity // SECTOR,
        lambda count: measure([Piece("0" * 64, largest * 2, largest, count * SECTOR)]) <= capacity,
    )
    if sectors < 1:
        raise _too_small(capacity, measure)
    pieces: list[Piece] = []
    for each in objects:
        pieces += _segments(each, sectors * SECTOR) if each.size > most else [each]
    return pieces


def _most(limit: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to `limit` that fits, -1 for none; what is larger does not fit either."""
    least, most = -1, limit
    while least < most:
        middle = (least + most + 1) // 2
        if fits(middle):
            least = middle
        else:
            most = middle - 1
    return least


def _segments(whole: Piece, room: int) -> Iterator[Piece]:
    for start in range(0, whole.size, room):
        yield Piece(whole.sha256, whole.size, start, min(room, whole.size - start))


# --- filling


def _extra(pieces: Sequence[Piece], measure: Measure) -> int:
    """About how much more than its bytes a piece takes up: the mean of some, and a little."""
    sample = pieces[:: max(1, len(pieces) // _SAMPLE)]
    extra = measure(sample) - measure([]) - sum(piece.length for piece in sample)
    return max(0, extra) * 11 // (10 * len(sample)) + 32


def _fill(
    pieces: Sequence[Piece], waiting: list[int], capacity: int, measure: Measure, extra: int
) -> tuple[list[int], list[int]]:
    """Which pieces go onto the next medium, and which wait for another. The first has its turn now: it fits onto an
    empty one, whatever the estimate."""

    def size(places: list[int]) -> int:
        return measure([pieces[place] for place in places])

    taken, waiting, refused = waiting[:1], waiting[1:], list[int]()
    used = size(taken)
    for _ in range(_PASSES):
        more, passed = _take(pieces, waiting, capacity - used, extra)
        if not more or capacity - used <= capacity // _FULL:
            break
        fitting, used = _fitting(taken, more, capacity, size)
        taken = sorted(taken + more[:fitting])
        refused += more[fitting : fitting + 1]
        waiting = sorted(more[fitting + 1 :] + passed)
    return taken, sorted(waiting + refused)


def _fitting(
    taken: list[int], more: list[int], capacity: int, size: Callable[[list[int]], int]
) -> tuple[int, int]:
    """How many of `more`, in their order, fit behind `taken`, and what is used then, by measure."""
    used = size(taken + more)
    if used <= capacity:
        return len(more), used
    fitting = _most(len(more) - 1, lambda count: size(taken + more[:count]) <= capacity)
    return fitting, size(taken + more[:fitting])


def _take(pieces: Sequence[Piece], waiting: list[int], room: int, extra: int) -> tuple[list[int], list[int]]:
    """What fits into `room` by the estimate, in order, and what does not."""
    taken: list[int] = []
    passed: list[int] = []
    for count, place in enumerate(waiting, 1):
        needed = pieces[place].length + extra
        if needed <= room:
            taken.append(place)
            room -= needed
            continue
        passed.append(place)
        if len(passed) > _LOOK_AHEAD or room < extra:
            return taken, passed + waiting[count:]
    return taken, passed
