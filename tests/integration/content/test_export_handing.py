# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports that are handed over: uploads, which go on where they were cut off, and standard output."""

import base64
import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orchestrator.content.exports import pruning
from orchestrator.content.exports.checking import verify
from orchestrator.content.exports.records import all_records
from orchestrator.errors import Invalid, Refused, TransferFailed, UsageError
from tests.support.export_site import contents, copied_site, do, fill, request, states
from tests.support.servers import LOOPBACK
from tests.support.snapshot_site import SnapshotSite, snapshot_site


@dataclass
class Taker:
    """A server that takes files by PUT; those named in `refused` it refuses."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    logins: set[str] = field(default_factory=set)


@contextlib.contextmanager
def taker() -> Iterator[Taker]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            data = self._body()
            name = self.path.removeprefix("/in/")
            found.logins.add(self.headers.get("Authorization", ""))
            if name not in found.refused:
                found.files[name] = data
            self.send_response(507 if name in found.refused else 201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _body(self) -> bytes:
            length = self.headers.get("Content-Length")
            if length is not None:
                return self.rfile.read(int(length))
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    found = Taker(f"http://{LOOPBACK}:{server.server_port}/in")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made") / "content"
    with snapshot_site(root) as site:
        fill(site)
    return root


@pytest.fixture
def site(template: Path, tmp_path: Path) -> Iterator[SnapshotSite]:
    with copied_site(template, tmp_path / "content") as site:
        yield site


def told(site: SnapshotSite) -> list[int]:
    return [event.fields["number"] for event in site.events if event.name.value == "chunk"]


@pytest.mark.parametrize("format_", ["tar", "tgz"])
def test_an_upload_goes_on_at_the_next_chunk_and_ends_with_the_manifest(
    site: SnapshotSite, tmp_path: Path, format_: str
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {LOOPBACK} login alice password secret\n")
    netrc.chmod(0o644)
    with pytest.raises(Invalid, match="others may read"):
        do(site, request(format_), to="http://127.0.0.1:9", netrc=netrc)
    with pytest.raises(Invalid, match="cannot be read"):
        do(site, request(format_), to="http://127.0.0.1:9", netrc=tmp_path / "missing")
    netrc.chmod(0o600)
    with taker() as server:
        server.refused = {f"library-2of3.{format_}"}
        with pytest.raises(TransferFailed, match="507"):
            do(site, request(format_), to=server.url, netrc=netrc)
        assert (list(server.files), states(site)) == ([f"library-1of3.{format_}"], ["partial"])
        server.refused = {"manifest.json"}
        with pytest.raises(TransferFailed):
            do(site, request(format_), to=f"{server.url}/", netrc=netrc)
        assert states(site) == ["partial"]
        server.refused = set()
        outcome = do(site, request(format_), to=server.url, netrc=netrc)
        assert told(site) == [1, 2, 3]
        assert list(server.files)[-4:] == ["README.txt", "SHA256SUMS", "manifest.sig", "manifest.json"]
        assert server.logins == {"Basic " + base64.b64encode(b"alice:secret").decode()}
        uploaded = dict(server.files)
    assert (outcome.state, outcome.place, states(site)) == ("complete", server.url, ["complete"])
    assert contents(do(site, request(format_)).place) == uploaded
    with pytest.raises(Refused, match="cannot be seen from here"):
        verify(site.workspace, "1")
    pruning.delete(site.workspace, ["1"])
    assert [record.number for record in all_records(site.workspace)] == [2]


@pytest.mark.parametrize(
    "address", ["https://alice:secret@host/in", "https://host/in?sig=1", "https:///in", "http://[::1/in"]
)
def test_addresses_that_files_cannot_be_put_below_are_refused(site: SnapshotSite, address: str) -> None:
    with pytest.raises(Invalid) as refused:
        do(site, request(), to=address)
    assert "secret" not in str(refused.value)
    assert states(site) == []


def test_other_targets_are_refused(site: SnapshotSite, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="directories"):
        do(site, request(), to="ftp://host/in")
    with pytest.raises(Invalid, match="no directory"):
        do(site, request(), to=str(tmp_path / "none"))
    for to in ("-", "https://host/in"):
        with pytest.raises(UsageError, match="a directory cannot go"):
            do(site, request("dir"), to=to)
    with pytest.raises(UsageError, match="3 chunks"):
        do(site, request(), to="-")


@contextlib.contextmanager
def standard_output_in(path: Path) -> Iterator[None]:
    saved = os.dup(1)
    with path.open("wb") as stream:
        os.dup2(stream.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)


def test_standard_output_gets_a_chunk_and_history_goes_on_when_it_had_all(
    site: SnapshotSite, tmp_path: Path
) -> None:
    for number, state in ((2, "partial"), (3, "partial"), (1, "complete")):
        with standard_output_in(tmp_path / f"library-{number}of3.tar"):
            assert do(site, request(), to="-", only_chunk=number).state == state
    assert states(site) == ["complete"]
    whole = contents(do(site, request()).place)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.tar")}.items() <= whole.items()
    with standard_output_in(tmp_path / "again"):
        do(site, request(), to="-", only_chunk=3)
    assert (tmp_path / "again").read_bytes() == whole["library-3of3.tar"]
    assert states(site) == ["complete", "complete"]
