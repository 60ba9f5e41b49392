# SPDX-License-Identifier: GPL-3.0-or-later
"""The transfer against a server that does wrong what servers, proxies and networks do wrong."""

import hashlib
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.content.fetching import Ending
from orchestrator.content.model import Digest, Validators
from orchestrator.content.source import Common
from orchestrator.content.transfer.engine import Transfer
from orchestrator.content.transfer.policy import Backoff
from orchestrator.content.transfer.requests import Request, Result, Retrying, Tally
from orchestrator.errors import Interrupted
from orchestrator.host.files import open_alone
from tests.support.disks import small_disk
from tests.support.fault_server import (
    Fault,
    FaultServer,
    always,
    cut,
    endless,
    fault_server,
    html,
    longer,
    no_ranges,
    redirect,
    reset,
    same_size_other_bytes,
    slow,
    stall,
    status,
    together,
    truncated,
    with_headers,
    without,
    without_length,
)
from tests.support.servers import wait_until

SMALL = bytes(range(256)) * 16
LARGE = os.urandom(1 << 20) * 3
QUICK = Common(connections=4, retries=3, connect_timeout=1.0, stall_timeout=1.0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FaultServer]:
    with fault_server(tmp_path / "www") as server:
        server.write("small", SMALL)
        server.write("large", LARGE)
        yield server


@pytest.fixture
def other(tmp_path: Path) -> Iterator[FaultServer]:
    """Of another host, with the same files."""
    with fault_server(tmp_path / "www", host="127.0.0.2") as server:
        yield server


def transfer(common: Common = QUICK, **how: object) -> Transfer:
    return Transfer(common, backoff=Backoff(0.01, 0.02), **how)  # type: ignore[arg-type]


def sha256(data: bytes) -> Digest:
    return Digest("sha256", hashlib.sha256(data).hexdigest())


def of(data: bytes, target: Path, *urls: str) -> Request:
    return Request(urls, target, len(data), sha256(data))


def fetch(request: Request, common: Common = QUICK) -> Result:
    engine = transfer(common)
    try:
        (result,) = engine.fetch([request])
    finally:
        engine.close()
    return result


def check_done(result: Result, data: bytes) -> None:
    assert result.ending is Ending.DONE, result.why
    assert result.file is not None
    assert Path(result.file).read_bytes() == data
    assert (result.sha256, result.size) == (sha256(data).value, len(data))


# What a server gives as it should -----------------------------------------------------------------


def test_a_file_arrives_with_its_digest_and_leaves_nothing_beside_it(
    server: FaultServer, tmp_path: Path
) -> None:
    target = tmp_path / "in" / "a.part"
    target.parent.mkdir()
    result = fetch(of(LARGE, target, server.url + "large"))
    check_done(result, LARGE)
    assert result.url == server.url + "large"
    assert [path.name for path in target.parent.iterdir()] == ["a.part"]
    assert server.asked[0].headers["accept-encoding"] == "identity"


def test_an_empty_file_is_a_file(server: FaultServer, tmp_path: Path) -> None:
    server.write("empty", b"")
    check_done(fetch(of(b"", tmp_path / "e.part", server.url + "empty")), b"")


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha512"])
def test_another_algorithm_is_checked_and_sha256_is_told(
    server: FaultServer, tmp_path: Path, algorithm: str
) -> None:
    right = Digest(algorithm, hashlib.new(algorithm, SMALL).hexdigest())
    wrong = Digest(algorithm, hashlib.new(algorithm, b"").hexdigest())
    request = Request((server.url + "small",), tmp_path / "a.part", None, right)
    check_done(fetch(request), SMALL)
    result = fetch(request._replace(digest=wrong, target=tmp_path / "b.part"))
    assert result.ending is Ending.WRONG_CONTENT
    assert algorithm in result.why


def test_a_small_file_of_unknown_digest_comes_into_memory_with_its_validators(server: FaultServer) -> None:
    result = fetch(Request((server.url + "small",), limit=10_000))
    assert result.data == SMALL
    assert result.validators is not None
    assert result.validators.etag
    again = fetch(Request((server.url + "small",), limit=10_000, known=result.validators))
    assert again.ending is Ending.NOT_MODIFIED
    server.write("small", b"new")
    assert fetch(Request((server.url + "small",), limit=10_000, known=result.validators)).data == b"new"


def test_results_are_in_the_order_asked_over_few_connections(server: FaultServer, tmp_path: Path) -> None:
    files = [server.write(f"f{number}", str(number).encode() * 100) for number in range(200)]
    requests = [
        of(data, tmp_path / f"{number}.part", f"{server.url}f{number}") for number, data in enumerate(files)
    ]
    engine = transfer()
    seen: dict[int, Result] = {}
    results = engine.fetch(requests, done=seen.__setitem__)
    assert [result.size for result in results] == [len(data) for data in files]
    assert [seen[number] for number in range(200)] == results
    assert server.connections <= QUICK.connections
    engine.fetch(requests[:1])
    assert server.connections <= QUICK.connections
    engine.close()


def test_an_empty_batch_is_no_work() -> None:
    assert transfer().fetch([]) == []


# Faults that another attempt helps against --------------------------------------------------------

PASSING: dict[str, list[Fault]] = {
    "503 twice": [status(503), status(503)],
    "429": [status(429)],
    "408": [status(408)],
    "reset": [reset()],
    "cut in half": [cut(len(LARGE) // 2)],
    "cut, then ranges are ignored": [cut(len(LARGE) // 2), no_ranges()],
    "cut, then the range is refused": [cut(len(LARGE) // 2), status(416)],
    "cut, then the range is another one": [
        cut(len(LARGE) // 2),
        with_headers(Content_Range=f"bytes 5-{len(LARGE) - 1}/{len(LARGE)}"),
    ],
    "cut, then the file is said to be larger": [
        cut(len(LARGE) // 2),
        with_headers(Content_Range=f"bytes {len(LARGE) // 2}-{len(LARGE) * 2}/{len(LARGE) * 2 + 1}"),
    ],
    "cut, then the range has other bytes": [cut(len(LARGE) // 2), same_size_other_bytes()],
    "cut, then the range has too many bytes": [cut(len(LARGE) // 2), together(longer(9), without_length())],
    "cut without validators": [together(cut(len(LARGE) // 2), without("ETag", "Last-Modified"))],
    "cut without a length": [together(cut(len(LARGE) // 2), without_length())],
    "cut three times": [cut(1000), cut(1 << 20), cut(100_000)],
    "stalled before the head": [stall()],
    "stalled in the middle": [stall(200)],
    "wrong bytes once": [same_size_other_bytes()],
    "html once": [html()],
    "truncated once": [truncated(1000)],
    "longer once": [longer()],
}


@pytest.mark.parametrize("faults", PASSING.values(), ids=PASSING)
def test_a_passing_fault_costs_a_retry(server: FaultServer, tmp_path: Path, faults: list[Fault]) -> None:
    server.faults["/large"] = faults
    result = fetch(of(LARGE, tmp_path / "a.part", server.url + "large"))
    check_done(result, LARGE)
    assert server.count("/large") >= max(2, len(faults))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.part", "www"]


# Faults that stay ---------------------------------------------------------------------------------

LASTING: dict[str, tuple[Fault, Ending, int]] = {
    "404": (status(404), Ending.NOT_FOUND, 1),
    "410": (status(410), Ending.NOT_FOUND, 1),
    "401": (status(401, {"WWW-Authenticate": "Basic realm=x"}), Ending.FORBIDDEN, 1),
    "403": (status(403), Ending.FORBIDDEN, 1),
    "503": (status(503), Ending.UNREACHABLE, 4),
    "500 with a long page": (status(500, body=b"x" * 1_000_000), Ending.UNREACHABLE, 4),
    "reset": (reset(), Ending.UNREACHABLE, 4),
    "always cut, ranges ignored": (together(no_ranges(), cut(5000)), Ending.UNREACHABLE, 4),
    "wrong bytes": (same_size_other_bytes(), Ending.WRONG_CONTENT, 2),
    "html": (html(), Ending.WRONG_CONTENT, 2),
    "truncated": (truncated(1000), Ending.WRONG_CONTENT, 2),
    "longer": (longer(), Ending.WRONG_CONTENT, 2),
    "endless": (endless(), Ending.WRONG_CONTENT, 2),
    "a part that was not asked for": (
        together(status(206, {"Content-Range": "bytes 0-2/3"}, b"abc")),
        Ending.WRONG_CONTENT,
        2,
    ),
    "204": (status(204, body=b""), Ending.WRONG_CONTENT, 2),
    "304 unasked": (status(304, body=b""), Ending.WRONG_CONTENT, 2),
    "redirect to nowhere": (status(302), Ending.WRONG_CONTENT, 2),
    "redirect to a local file": (redirect("file:///etc/hostname"), Ending.FORBIDDEN, 1),
    "redirect to itself": (redirect("/large"), Ending.FORBIDDEN, 11),
}


@pytest.mark.parametrize(("fault", "ending", "requests"), LASTING.values(), ids=LASTING)
def test_a_lasting_fault_is_told_with_its_address(
    server: FaultServer, tmp_path: Path, fault: Fault, ending: Ending, requests: int
) -> None:
    server.faults["/large"] = always(fault)
    result = fetch(of(LARGE, tmp_path / "a.part", server.url + "large"))
    assert result.ending is ending
    assert server.url + "large" in result.why
    assert result.url == server.url + "large"
    assert server.count("/large") == requests
    if ending is not Ending.UNREACHABLE:
        assert [path.name for path in tmp_path.iterdir()] == ["www"]


def test_no_more_than_the_expected_size_is_ever_written(server: FaultServer, tmp_path: Path) -> None:
    server.write("grown", LARGE + b"x" * (20 << 20))
    server.faults["/grown"] = always(without_length())
    engine = transfer()
    before = time.monotonic()
    (result,) = engine.fetch([of(LARGE, tmp_path / "a.part", server.url + "grown")])
    assert result.ending is Ending.WRONG_CONTENT
    assert f"more than {len(LARGE)} bytes" in result.why
    assert not (tmp_path / "a.part").exists()
    assert time.monotonic() - before < 5


def test_a_limit_holds_where_no_size_is_known(server: FaultServer) -> None:
    result = fetch(Request((server.url + "large",), limit=1000))
    assert result.ending is Ending.WRONG_CONTENT
    assert "more than 1000 bytes" in result.why


def test_nobody_at_the_address_is_unreachable(tmp_path: Path) -> None:
    result = fetch(of(SMALL, tmp_path / "a.part", "http://127.0.0.1:1/x"))
    assert result.ending is Ending.UNREACHABLE
    assert "http://127.0.0.1:1/x" in result.why


@pytest.mark.parametrize(
    "url", ["", "x", "ftp://127.0.0.1/x", "http://", "http://127.0.0.1:99999/x", "gopher://a/"]
)
def test_an_address_that_is_none_is_told(tmp_path: Path, url: str) -> None:
    result = fetch(of(SMALL, tmp_path / "a.part", url))
    assert result.ending is Ending.UNREACHABLE
    assert result.why
    assert result.attempts <= 1


def test_retry_after_is_honoured(server: FaultServer, tmp_path: Path) -> None:
    server.faults["/small"] = [status(503, {"Retry-After": "1"})]
    before = time.monotonic()
    check_done(fetch(of(SMALL, tmp_path / "a.part", server.url + "small")), SMALL)
    assert 1.0 <= time.monotonic() - before < 3


def test_a_slow_server_is_not_a_stalled_one(server: FaultServer, tmp_path: Path) -> None:
    """It takes longer than a server may be silent."""
    server.faults["/small"] = [slow(1200)]
    patient = replace(QUICK, stall_timeout=3.0)
    check_done(fetch(of(SMALL, tmp_path / "a.part", server.url + "small"), patient), SMALL)
    assert server.count("/small") == 1


def test_a_dead_host_is_given_up(tmp_path: Path) -> None:
    """Not every one of many files waits for its own retries."""
    watched: list[Tally | Retrying] = []
    engine = transfer(watch=watched.append)
    requests = [of(SMALL, tmp_path / f"{n}.part", f"http://127.0.0.1:1/{n}") for n in range(500)]
    results = engine.fetch(requests)
    assert {result.ending for result in results} == {Ending.UNREACHABLE}
    assert sum(result.attempts for result in results) < 1000
    assert all(result.why for result in results)


# Going on with half a file ------------------------------------------------------------------------


def test_the_rest_is_asked_for_with_the_validator(server: FaultServer, tmp_path: Path) -> None:
    server.faults["/large"] = [cut(1 << 20)]
    check_done(fetch(of(LARGE, tmp_path / "a.part", server.url + "large")), LARGE)
    first, second = server.requests("/large")
    assert "range" not in first.headers
    assert second.headers["range"] == f"bytes={1 << 20}-"
    assert second.headers["if-range"].startswith('"')


def half(server: FaultServer, target: Path, *, digest: bool = True) -> None:
    """Leave half of /large behind, as a run does that is interrupted."""
    engine = transfer(Common(connections=1, retries=0))
    server.faults["/large"] = [cut(2 << 20)]
    request = of(LARGE, target, server.url + "large")
    (result,) = engine.fetch([request if digest else request._replace(digest=None)])
    assert result.ending is Ending.UNREACHABLE
    assert target.stat().st_size == 2 << 20


@pytest.mark.parametrize("digest", [True, False])
def test_another_run_goes_on_where_one_ended(server: FaultServer, tmp_path: Path, digest: bool) -> None:
    target = tmp_path / "a.part"
    half(server, target, digest=digest)
    request = of(LARGE, target, server.url + "large")
    check_done(fetch(request if digest else request._replace(digest=None)), LARGE)
    asked = server.requests("/large")[-1].headers
    assert asked["range"] == f"bytes={2 << 20}-"
    assert asked["if-range"].startswith('"')
    assert not target.with_suffix(".json").exists()


DYING = """
import sys
from pathlib import Path
from orchestrator.content.model import Digest
from orchestrator.content.source import Common
from orchestrator.content.transfer.engine import Transfer
from orchestrator.content.transfer.requests import Request

url, target, size, sha256 = sys.argv[1:]
Transfer(Common()).fetch([Request((url,), Path(target), int(size), Digest("sha256", sha256))])
"""


def test_a_killed_run_loses_no_more_than_what_was_in_flight(server: FaultServer, tmp_path: Path) -> None:
    server.faults["/large"] = [stall(2_500_000)]
    target = tmp_path / "a.part"
    words = [server.url + "large", str(target), str(len(LARGE)), sha256(LARGE).value]
    process = subprocess.Popen([sys.executable, "-c", DYING, *words])
    wait_until(lambda: target.exists() and target.stat().st_size >= 2 << 20, "blocks are written", process)
    process.kill()
    process.wait()
    check_done(fetch(of(LARGE, target, server.url + "large")), LARGE)
    asked = server.asked[-1].headers
    assert int(asked["range"].removeprefix("bytes=").rstrip("-")) >= 2 << 20
    assert "if-range" in asked
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.part", "www"]


@pytest.mark.parametrize("note", [None, b"", b"[]", b'{"url": 5}', b"{"])
def test_without_a_readable_note_only_a_digest_allows_to_go_on(
    server: FaultServer, tmp_path: Path, note: bytes | None
) -> None:
    for digest in (True, False):
        target = tmp_path / f"{digest}.part"
        target.write_bytes(LARGE[:1000])
        if note is not None:
            target.with_suffix(".json").write_bytes(note)
        request = of(LARGE, target, server.url + "large")
        check_done(fetch(request if digest else request._replace(digest=None)), LARGE)
    # A note of a form that nobody writes speaks of another file.
    may = note is None or note in (b"", b"[]", b"{")
    assert ["range" in asked.headers for asked in server.asked] == [may, False]


def test_what_was_left_of_another_file_is_not_used(server: FaultServer, tmp_path: Path) -> None:
    target = tmp_path / "a.part"
    half(server, target)
    note = json.loads(target.with_suffix(".json").read_text())
    target.with_suffix(".json").write_text(json.dumps({**note, "size": 5}))
    check_done(fetch(of(LARGE, target, server.url + "large")), LARGE)
    assert "range" not in server.requests("/large")[-1].headers


def test_a_file_that_changed_in_between_is_fetched_anew(server: FaultServer, tmp_path: Path) -> None:
    target = tmp_path / "a.part"
    half(server, target, digest=False)
    changed = server.write("large", LARGE[::-1])
    request = Request((server.url + "large",), target, len(changed))
    check_done(fetch(request), changed)
    assert server.count("/large") == 2


def test_a_damaged_prefix_is_found_out_and_fetched_anew(server: FaultServer, tmp_path: Path) -> None:
    target = tmp_path / "a.part"
    target.write_bytes(b"\0" * 1_000_000)
    check_done(fetch(of(LARGE, target, server.url + "large")), LARGE)
    first, second = server.requests("/large")
    assert "range" in first.headers
    assert "range" not in second.headers


@pytest.mark.parametrize("size", [len(LARGE), len(LARGE) + 1])
def test_a_left_file_that_is_whole_but_wrong_is_fetched_anew(
    server: FaultServer, tmp_path: Path, size: int
) -> None:
    target = tmp_path / "a.part"
    target.write_bytes(b"\0" * size)
    check_done(fetch(of(LARGE, target, server.url + "large")), LARGE)
    assert "range" not in server.asked[0].headers


def test_a_left_file_that_is_whole_and_right_is_taken(server: FaultServer, tmp_path: Path) -> None:
    target = tmp_path / "a.part"
    target.write_bytes(LARGE)
    check_done(fetch(of(LARGE, target, server.url + "large")), LARGE)
    assert not server.asked


def test_a_weak_validator_does_not_vouch_for_a_half_without_a_digest(
    server: FaultServer, tmp_path: Path
) -> None:
    server.faults["/large"] = [together(with_headers(ETag='W/"1"'), cut(1 << 20))]
    request = of(LARGE, tmp_path / "a.part", server.url + "large")._replace(digest=None)
    check_done(fetch(request), LARGE)
    assert "range" not in server.requests("/large")[1].headers


def test_what_another_process_writes_is_left_to_it(server: FaultServer, tmp_path: Path) -> None:
    target = tmp_path / "a.part"
    theirs = open_alone(target, create=True)
    os.write(theirs, b"theirs")
    result = fetch(of(LARGE, target, server.url + "large"))
    check_done(result, LARGE)
    assert result.file != target
    assert target.read_bytes() == b"theirs"
    os.close(theirs)


def test_the_same_file_twice_at_once_is_two_whole_files(server: FaultServer, tmp_path: Path) -> None:
    server.faults["/large"] = always(slow(20 << 20))
    engine = transfer()
    results = engine.fetch([of(LARGE, tmp_path / "a.part", server.url + "large")] * 2)
    for result in results:
        check_done(result, LARGE)
    assert results[0].file != results[1].file


# Several addresses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault", [status(404), status(403), status(503), reset(), same_size_other_bytes(), html(), stall()]
)
def test_the_next_address_is_asked_when_one_fails(
    server: FaultServer, other: FaultServer, tmp_path: Path, fault: Fault
) -> None:
    server.faults["/large"] = always(fault)
    result = fetch(of(LARGE, tmp_path / "a.part", server.url + "large", other.url + "large"))
    check_done(result, LARGE)
    assert result.url == other.url + "large"
    assert server.count("/large") == other.count("/large") == 1


def test_half_a_file_goes_on_at_the_next_address(
    server: FaultServer, other: FaultServer, tmp_path: Path
) -> None:
    server.faults["/large"] = always(cut(1 << 20))
    check_done(fetch(of(LARGE, tmp_path / "a.part", server.url + "large", other.url + "large")), LARGE)
    asked = other.asked[0].headers
    assert asked["range"] == f"bytes={1 << 20}-"
    assert "if-range" not in asked


def test_a_file_is_only_missing_when_every_address_says_so(
    server: FaultServer, other: FaultServer, tmp_path: Path
) -> None:
    request = of(SMALL, tmp_path / "a.part", server.url + "none", other.url + "none")
    assert fetch(request).ending is Ending.NOT_FOUND
    other.faults["/none"] = always(status(503))
    result = fetch(request)
    assert result.ending is Ending.UNREACHABLE
    assert result.url == other.url + "none"
    assert server.url + "none: 404 Not Found" in result.why
    assert other.url + "none: 503" in result.why


def test_retries_are_spread_over_the_addresses(
    server: FaultServer, other: FaultServer, tmp_path: Path
) -> None:
    for one in (server, other):
        one.faults["/small"] = always(status(503))
    result = fetch(of(SMALL, tmp_path / "a.part", server.url + "small", other.url + "small"))
    assert result.ending is Ending.UNREACHABLE
    assert result.attempts == 4
    assert server.count("/small") == other.count("/small") == 2


def test_a_redirect_is_followed_and_the_real_address_named(
    server: FaultServer, other: FaultServer, tmp_path: Path
) -> None:
    server.faults["/small"] = [redirect(other.url + "small")]
    result = fetch(of(SMALL, tmp_path / "a.part", server.url + "small"))
    check_done(result, SMALL)
    assert result.url == other.url + "small"


# Disk, stopping, rate, telling --------------------------------------------------------------------


def test_a_disk_that_fails_ends_everything(server: FaultServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"a\.part"):
        transfer().fetch([of(SMALL, tmp_path / "file" / "a.part", server.url + "small")])


def test_a_full_disk_is_an_oserror_that_names_the_file(server: FaultServer, tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", "64k") as disk,
        pytest.raises(OSError, match=r"No space left on device: '.*/disk/a\.part'"),
    ):
        transfer().fetch([of(LARGE, disk / "a.part", server.url + "large")])


def test_a_stop_ends_soon_and_what_is_there_stays(server: FaultServer, tmp_path: Path) -> None:
    server.faults["/large"] = always(slow(1 << 20))
    began = time.monotonic()
    engine = transfer(stop=lambda: time.monotonic() - began > 0.8)
    with pytest.raises(Interrupted):
        engine.fetch([of(LARGE, tmp_path / "a.part", server.url + "large")])
    assert time.monotonic() - began < 1.5
    server.faults.clear()
    (result,) = transfer().fetch([of(LARGE, tmp_path / "a.part", server.url + "large")])
    check_done(result, LARGE)
    assert int(server.asked[-1].headers["range"].removeprefix("bytes=").rstrip("-")) > 100_000


def test_a_stop_does_not_wait_for_retries(server: FaultServer, tmp_path: Path) -> None:
    server.faults["/small"] = always(status(503, {"Retry-After": "60"}))
    began = time.monotonic()
    engine = transfer(stop=lambda: time.monotonic() - began > 0.3)
    with pytest.raises(Interrupted):
        engine.fetch([of(SMALL, tmp_path / "a.part", server.url + "small")])
    assert time.monotonic() - began < 1


def test_the_rate_limit_holds_for_all_connections_together(server: FaultServer, tmp_path: Path) -> None:
    requests = [of(LARGE, tmp_path / f"{number}.part", server.url + "large") for number in range(4)]
    engine = transfer(Common(connections=8, rate_limit=8 << 20))
    before = time.monotonic()
    for result in engine.fetch(requests):
        check_done(result, LARGE)
    assert 1.0 < time.monotonic() - before < 3.5  # 12 MiB at 8 MiB/s


def test_progress_and_retries_are_told_in_the_callers_thread(server: FaultServer, tmp_path: Path) -> None:
    import threading

    told: list[Tally | Retrying] = []
    callers = set()

    def watch(what: Tally | Retrying) -> None:
        told.append(what)
        callers.add(threading.current_thread())

    server.faults["/small"] = [status(503)]
    server.faults["/large"] = [together(slow(6 << 20), cut(2 << 20))]
    engine = transfer(watch=watch)
    engine.fetch(
        [
            of(SMALL, tmp_path / "a.part", server.url + "small"),
            of(LARGE, tmp_path / "b.part", server.url + "large"),
            of(SMALL, tmp_path / "c.part", server.url + "none"),
        ]
    )
    assert callers == {threading.current_thread()}
    retries = {what.url: what for what in told if isinstance(what, Retrying)}
    assert retries[server.url + "small"].attempt == 1
    assert "503" in retries[server.url + "small"].why
    tallies = [what for what in told if isinstance(what, Tally)]
    assert len(tallies) <= 12
    last = tallies[-1]
    assert (last.files, last.files_total) == (3, 3)
    assert last.bytes == len(SMALL) + len(LARGE)
    assert last.bytes_total == 2 * len(SMALL) + len(LARGE)
    assert all(one.bytes <= other.bytes for one, other in itertools.pairwise(tallies))
    assert any(tally.rate > 1 << 20 for tally in tallies)


# file:// ------------------------------------------------------------------------------------------


def test_local_files_are_copied_and_checked(tmp_path: Path) -> None:
    source = tmp_path / "with space%25" / "a+b~c"
    source.parent.mkdir()
    source.write_bytes(LARGE)
    url = f"file://{tmp_path}/with%20space%2525/a+b~c"
    check_done(fetch(of(LARGE, tmp_path / "a.part", url)), LARGE)
    assert fetch(of(LARGE[:-1], tmp_path / "b.part", url)).ending is Ending.WRONG_CONTENT
    assert fetch(of(LARGE[::-1], tmp_path / "b.part", url)).ending is Ending.WRONG_CONTENT
    assert fetch(of(LARGE, tmp_path / "b.part", f"file://{tmp_path}/none")).ending is Ending.NOT_FOUND
    assert fetch(of(LARGE, tmp_path / "b.part", f"file://{tmp_path}")).ending is Ending.NOT_FOUND
    assert fetch(of(LARGE, tmp_path / "b.part", f"file://elsewhere{source}")).ending is Ending.FORBIDDEN
    assert fetch(Request((url,), limit=10)).ending is Ending.WRONG_CONTENT
    assert not (tmp_path / "b.part").exists()


def test_a_local_file_is_fetched_conditionally(tmp_path: Path) -> None:
    source = tmp_path / "entry"
    source.write_bytes(SMALL)
    first = fetch(Request((f"file://{source}",), limit=10_000))
    assert first.data == SMALL
    again = Request((f"file://{source}",), limit=10_000, known=first.validators)
    assert fetch(again).ending is Ending.NOT_MODIFIED
    source.write_bytes(b"new")
    assert fetch(again).data == b"new"
    assert fetch(again._replace(known=Validators("other"))).data == b"new"


def test_fail_over_goes_from_files_to_servers_and_back(server: FaultServer, tmp_path: Path) -> None:
    gone, here = f"file://{tmp_path}/gone", f"file://{server.root}/small"
    check_done(fetch(of(SMALL, tmp_path / "a.part", gone, server.url + "small")), SMALL)
    check_done(fetch(of(SMALL, tmp_path / "b.part", server.url + "none", here)), SMALL)
