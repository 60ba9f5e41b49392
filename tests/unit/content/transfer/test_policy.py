# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer means, where and when to ask again, how a half file goes on."""

import pytest

from orchestrator.content.fetching import Ending
from orchestrator.content.transfer.addresses import Origin
from orchestrator.content.transfer.policy import (
    LONGEST_RETRY_AFTER,
    Backoff,
    Half,
    Health,
    Itinerary,
    Opening,
    Pace,
    Verdict,
    judge_failure,
    judge_opening,
    judge_status,
    parse_retry_after,
    range_headers,
)

AGAIN = Verdict(Ending.UNREACHABLE, again=True, why="503")
MISSING = Verdict(Ending.NOT_FOUND, again=False, why="404")
HOST = Origin("http", "h", 80)


@pytest.mark.parametrize(
    ("status", "ending", "again"),
    [
        (404, Ending.NOT_FOUND, False),
        (410, Ending.NOT_FOUND, False),
        (400, Ending.FORBIDDEN, False),
        (401, Ending.FORBIDDEN, False),
        (403, Ending.FORBIDDEN, False),
        (407, Ending.FORBIDDEN, False),
        (451, Ending.FORBIDDEN, False),
        (408, Ending.UNREACHABLE, True),
        (429, Ending.UNREACHABLE, True),
        (500, Ending.UNREACHABLE, True),
        (503, Ending.UNREACHABLE, True),
        (599, Ending.UNREACHABLE, True),
        (0, Ending.WRONG_CONTENT, False),
        (204, Ending.WRONG_CONTENT, False),
        (304, Ending.WRONG_CONTENT, False),
    ],
)
def test_a_status_has_its_meaning(status: int, ending: Ending, again: bool) -> None:
    verdict = judge_status(status, "", 0)
    assert (verdict.ending, verdict.again) == (ending, again)
    assert str(status) in verdict.why


@pytest.mark.parametrize(
    ("number", "again"), [(6, True), (7, True), (18, True), (28, True), (56, True), (92, True)]
)
def test_broken_connections_are_worth_another_attempt(number: int, again: bool) -> None:
    assert judge_failure(number, "text").again is again


@pytest.mark.parametrize("number", [1, 3, 58, 60, 77])
def test_addresses_and_certificates_do_not_get_better(number: int) -> None:
    verdict = judge_failure(number, "text")
    assert verdict.ending is Ending.UNREACHABLE
    assert not verdict.again


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("99999999999999999999", LONGEST_RETRY_AFTER),
        ("-3", 0.0),
        ("soon", 0.0),
        ("Thu, 01 Jan 1970 00:00:30 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:00:05 GMT", 0.0),
        ("Thu, 01 Jan 2032 00:00:05 GMT", LONGEST_RETRY_AFTER),
        ("Thu, 99 Jan 99999 00:00:05 GMT", 0.0),
    ],
)
def test_retry_after_is_read_within_reason(text: str, seconds: float) -> None:
    assert parse_retry_after(text, now=10.0) == seconds


def test_the_backoff_doubles_up_to_its_bound_with_full_jitter() -> None:
    backoff = Backoff(first=1.0, most=6.0)
    assert [backoff.delay(retry, 0.0, lambda: 1.0) for retry in (0, 1, 2, 3, 999)] == [1, 2, 4, 6, 6]
    assert backoff.delay(5, 0.0, lambda: 0.0) == 0.0
    assert backoff.delay(0, 30.0, lambda: 0.5) == 30.5


def visits(itinerary: Itinerary, verdicts: dict[int, Verdict]) -> list[int]:
    asked = []
    while (current := itinerary.current) is not None:
        asked.append(current)
        itinerary.failed(verdicts[current])
    return asked


@pytest.mark.parametrize(
    ("addresses", "retries", "verdicts", "asked"),
    [
        (1, 0, {0: AGAIN}, [0]),
        (1, 3, {0: AGAIN}, [0, 0, 0, 0]),
        (1, 3, {0: MISSING}, [0]),
        (2, 3, {0: AGAIN, 1: AGAIN}, [0, 1, 0, 1]),
        (3, 0, {0: AGAIN, 1: AGAIN, 2: AGAIN}, [0, 1, 2]),
        (2, 3, {0: MISSING, 1: AGAIN}, [0, 1, 1, 1]),
        (2, 3, {0: AGAIN, 1: MISSING}, [0, 1, 0, 0]),
        (0, 3, {}, []),
    ],
)
def test_retries_are_spread_over_the_addresses_that_may_do_better(
    addresses: int, retries: int, verdicts: dict[int, Verdict], asked: list[int]
) -> None:
    assert visits(Itinerary(addresses, retries), verdicts) == asked


def test_missing_is_the_least_that_can_be_said() -> None:
    outcomes = [Ending.NOT_FOUND, Ending.FORBIDDEN, Ending.UNREACHABLE, Ending.WRONG_CONTENT]
    itinerary = Itinerary(4, 0)
    visits(itinerary, {i: Verdict(ending, again=False, why="") for i, ending in enumerate(outcomes)})
    assert [ending for _, ending, _ in itinerary.verdicts()] == outcomes[::-1]


def test_a_host_is_given_up_after_some_files_in_a_row() -> None:
    health = Health(patience=2)
    health.exhausted(HOST)
    health.answered(HOST)
    health.exhausted(HOST)
    assert not health.given_up(HOST)
    health.exhausted(HOST)
    assert health.given_up(HOST)
    assert not health.given_up(Origin("http", "other", 80))


STRONG = Half("http://h/f", '"e"', "Thu, 01 Jan 1970 00:00:00 GMT")


@pytest.mark.parametrize(
    ("half", "url", "digest", "headers"),
    [
        (STRONG, "http://h/f", False, ("Range: bytes=5-", 'If-Range: "e"')),
        (STRONG, "http://h/f", True, ("Range: bytes=5-", 'If-Range: "e"')),
        (STRONG, "http://i/f", False, None),
        (STRONG, "http://i/f", True, ("Range: bytes=5-",)),
        (STRONG._replace(etag='W/"e"'), "http://h/f", False, None),
        (
            STRONG._replace(etag='W/"e"'),
            "http://h/f",
            True,
            ("Range: bytes=5-", "If-Range: Thu, 01 Jan 1970 00:00:00 GMT"),
        ),
        (Half(), "http://h/f", False, None),
        (Half(), "http://h/f", True, ("Range: bytes=5-",)),
    ],
)
def test_half_a_file_goes_on_when_something_vouches_for_it(
    half: Half, url: str, digest: bool, headers: tuple[str, ...] | None
) -> None:
    assert range_headers(5, half, url, digest_known=digest) == headers
    assert range_headers(0, half, url, digest_known=digest) is None


@pytest.mark.parametrize(
    ("status", "content_range", "have", "length", "size", "opening"),
    [
        (200, "", 0, None, None, Opening.FROM_START),
        (200, "", 0, 10, 10, Opening.FROM_START),
        (200, "", 5, 10, 10, Opening.FROM_START),
        (200, "", 0, 9, 10, Opening.WRONG),
        (200, "", 0, 11, 10, Opening.WRONG),
        (206, "bytes 0-9/10", 0, 10, 10, Opening.WRONG),
        (206, "bytes 5-9/10", 5, 5, 10, Opening.APPEND),
        (206, "bytes 5-9/10", 5, 5, None, Opening.APPEND),
        (206, "bytes 5-9/*", 5, 5, 10, Opening.APPEND),
        (206, "bytes 5-8/10", 5, 4, 10, Opening.RESTART),
        (206, "bytes 4-9/10", 5, 6, 10, Opening.RESTART),
        (206, "bytes 5-10/11", 5, 6, 10, Opening.RESTART),
        (206, "bytes 5-10/*", 5, 6, 10, Opening.RESTART),
        (206, "bytes 5-4/10", 5, 0, 10, Opening.RESTART),
        (206, "", 5, 5, 10, Opening.RESTART),
        (206, "bytes=5-9/10", 5, 5, 10, Opening.RESTART),
        (206, "bytes 5-9/10, 5-9/10", 5, 5, 10, Opening.RESTART),
    ],
)
def test_only_what_fits_is_added_to_half_a_file(
    status: int, content_range: str, have: int, length: int | None, size: int | None, opening: Opening
) -> None:
    assert judge_opening(status, content_range, have, length, size) is opening


def test_the_pace_counts_all_that_is_spent() -> None:
    pace = Pace(1000)
    pace.spend(500, now=10.0)
    pace.spend(500, now=10.1)
    assert pace.debt(10.1) == pytest.approx(0.9)
    assert pace.debt(20.0) == 0.0
    pace.spend(1000, now=20.0)  # idle time is no credit
    assert pace.debt(20.0) == pytest.approx(1.0)
    assert Pace(0).debt(5.0) == 0.0
