# SPDX-License-Identifier: GPL-3.0-or-later
"""The decisions of the transfer, without any network: what an answer means, whether and where and when to
ask again, how a half file goes on, which hosts are not worth asking any more."""

import email.utils
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import NamedTuple

from orchestrator.content.fetching import Ending
from orchestrator.content.transfer.addresses import Origin

LONGEST_RETRY_AFTER = 60.0
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.ASCII)
# Numbers of libcurl that another attempt does not help against: the address, TLS of one of the two sides.
_CERTIFICATE = 60
_LASTING = {1: "unsupported address", 3: "malformed address", 58: "client certificate", 77: "CA certificates"}
_TIMED_OUT, _TOO_SHORT = 28, 18


class Verdict(NamedTuple):
    """What one answer, or the lack of one, means. `again`: the same address may do better next time."""

    ending: Ending
    again: bool
    why: str
    retry_after: float = 0.0


def judge_status(status: int, retry_after: str, now: float) -> Verdict:
    """An answer that is neither the file nor a redirect. `now` in seconds since the epoch."""
    why = f"{status} {_phrase(status)}".rstrip()
    if status in (404, 410):
        return Verdict(Ending.NOT_FOUND, again=False, why=why)
    if status in (408, 425, 429) or status >= 500:
        return Verdict(Ending.UNREACHABLE, True, why, parse_retry_after(retry_after, now))
    if 400 <= status < 500:
        return Verdict(Ending.FORBIDDEN, again=False, why=why)
    return Verdict(Ending.WRONG_CONTENT, again=False, why=f"unexpected answer {why}")


def judge_failure(number: int, text: str) -> Verdict:
    """No complete answer: `number` and `text` are libcurl's."""
    if number == _CERTIFICATE:
        return Verdict(Ending.UNREACHABLE, again=False, why=f"its certificate is not trusted: {text}")
    if number in _LASTING:
        return Verdict(Ending.UNREACHABLE, again=False, why=f"{_LASTING[number]}: {text}")
    if number == _TOO_SHORT:
        return Verdict(Ending.UNREACHABLE, again=True, why=f"the connection ended early: {text}")
    if number == _TIMED_OUT:
        return Verdict(Ending.UNREACHABLE, again=True, why=f"timed out: {text}")
    return Verdict(Ending.UNREACHABLE, again=True, why=text or f"libcurl's error {number}")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def parse_retry_after(text: str, now: float) -> float:
    """Seconds to wait, within reason; 0 when there is nothing readable."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_RETRY_AFTER)
    try:
        moment = email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(moment - now, 0.0), LONGEST_RETRY_AFTER)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Full jitter: anything up to a bound that doubles with every retry. Seconds."""

    first: float = 0.5
    most: float = 20.0

    def delay(self, retry: int, retry_after: float, chance: Callable[[], float]) -> float:
        """Before the retry number `retry` (from 0) of one address; `chance` gives numbers in [0, 1)."""
        bound = min(self.most, self.first * 2.0 ** min(retry, 30))
        return retry_after + chance() * bound


class Itinerary:
    """The addresses of one file: each is asked once in turn, those that may do better again and again,
    until the retries are used up."""

    def __init__(self, addresses: int, retries: int) -> None:
        self._open = deque(range(addresses))
        self._left = max(retries + 1, addresses)
        self._asked = [0] * addresses
        self._gone: dict[int, tuple[Ending, str]] = {}

    @property
    def current(self) -> int | None:
        """Which address to ask; None when it is over."""
        return self._open[0] if self._open and self._left > 0 else None

    @property
    def tries_before(self) -> int:
        """How often the current address was asked already."""
        return self._asked[self._open[0]]

    @property
    def alone(self) -> bool:
        return len(self._open) == 1

    def failed(self, verdict: Verdict) -> None:
        """What came of asking the current address; then the next one is current."""
        index = self._open.popleft()
        self._left -= 1
        self._asked[index] += 1
        self._gone[index] = (verdict.ending, verdict.why)
        if verdict.again:
            self._open.append(index)

    def verdicts(self) -> list[tuple[int, Ending, str]]:
        """The last failure of each address that was asked, the most telling ending first. That a file is
        nowhere is only believed when every address says so."""
        order = (Ending.WRONG_CONTENT, Ending.UNREACHABLE, Ending.FORBIDDEN, Ending.NOT_FOUND)
        found = [(index, ending, why) for index, (ending, why) in self._gone.items()]
        return sorted(found, key=lambda one: order.index(one[1]))


class Health:
    """Which hosts are given up for the rest of a batch: several files in a row used up all their retries at
    it, and it gave nothing in between. Else twenty thousand files would wait for their time-outs."""

    def __init__(self, patience: int = 3) -> None:
        self._patience = patience
        self._strikes: dict[Origin, int] = {}

    def answered(self, origin: Origin) -> None:
        if self._strikes.get(origin, 0) < self._patience:
            self._strikes.pop(origin, None)

    def exhausted(self, origin: Origin) -> None:
        self._strikes[origin] = self._strikes.get(origin, 0) + 1

    def given_up(self, origin: Origin) -> bool:
        return self._strikes.get(origin, 0) >= self._patience


class Half(NamedTuple):
    """Where the bytes of a half file came from. `url` as it was asked for, without user and password."""

    url: str = ""
    etag: str = ""
    last_modified: str = ""


def range_headers(have: int, half: Half, url: str, *, digest_known: bool) -> tuple[str, ...] | None:
    """The headers that ask for the rest of a file of which `have` bytes are there; None: ask for all of it.

    A weak validator, or none, or another address will do only where a digest judges the result.
    """
    if have <= 0:
        return None
    same = half.url == url
    strong = same and half.etag and not half.etag.startswith("W/")
    if not strong and not digest_known:
        return None
    headers = [f"Range: bytes={have}-"]
    if strong:
        headers.append(f"If-Range: {half.etag}")
    elif same and half.last_modified:
        headers.append(f"If-Range: {half.last_modified}")
    return tuple(headers)


class Opening(Enum):
    """What to do with the body of an answer that brings the file."""

    FROM_START = auto()
    APPEND = auto()
    RESTART = auto()  # the range is not the one asked for: ask again, without one
    WRONG = auto()  # it will not be the file: its size is another one


def judge_opening(
    status: int, content_range: str, have: int, length: int | None, size: int | None
) -> Opening:
    """Of status 200 or 206. `have` bytes were there (0: no range was asked for), `length` is what the answer
    says it holds, `size` what the file must have."""
    if status == 200:
        return Opening.WRONG if None not in (length, size) and length != size else Opening.FROM_START
    if not have:
        return Opening.WRONG
    match = _CONTENT_RANGE.fullmatch(content_range.strip())
    if not match or int(match[1]) != have or int(match[2]) < have:
        return Opening.RESTART
    total = None if match[3] == "*" else int(match[3])
    if total is not None and (total != int(match[2]) + 1 or size not in (None, total)):
        return Opening.RESTART
    if size is not None and int(match[2]) >= size:
        return Opening.RESTART
    return Opening.APPEND


class Pace:
    """At most `rate` bytes a second in all; 0: as fast as it goes. Times in seconds of one clock."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._free_at = 0.0

    def spend(self, size: int, now: float) -> None:
        if self.rate:
            self._free_at = max(self._free_at, now) + size / self.rate

    def debt(self, now: float) -> float:
        """How long nothing may be read."""
        return max(0.0, self._free_at - now) if self.rate else 0.0
