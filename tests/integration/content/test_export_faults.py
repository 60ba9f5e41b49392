# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports that are killed, stopped, refused, or find their disk full: what there is then, and how they go on."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.content.catalog import exports
from orchestrator.content.events import Event
from orchestrator.content.exports import records
from orchestrator.content.exports.lines import line_lock
from orchestrator.content.exports.manifest import Subject
from orchestrator.content.generations import collect_garbage
from orchestrator.content.settings import ExportRules
from orchestrator.content.workspace import Workspace
from orchestrator.errors import BadContent, Busy, Interrupted, Refused, StateUnwritable
from orchestrator.host.signals import Interrupts
from tests.support.disks import small_disk
from tests.support.export_site import (
    complete_ones,
    contents,
    copied_site,
    do,
    fill,
    packages,
    request,
    states,
)
from tests.support.snapshot_site import TESTER, SnapshotSite, snapshot_site

LIBRARY = Subject("library", "acme")


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


@pytest.mark.parametrize("format_", ["tar", "dir"])
def test_killed_anywhere_the_same_command_ends_with_the_same_bytes(tmp_path: Path, format_: str) -> None:
    argv = [sys.executable, "-m", "tests.support.exporting", "sweep", str(tmp_path), format_, "6"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


def stopping(site: SnapshotSite, at: str, count: int = 1) -> Workspace:
    """The same server, for somebody who presses Ctrl-C when something is told for the `count`th time."""
    seen: list[Event] = []
    interrupts = Interrupts()

    def watch(event: Event) -> None:
        site.events.append(event)
        seen.append(event)
        if [each.name.value for each in seen].count(at) == count and event.name.value == at:
            os.kill(os.getpid(), signal.SIGINT)

    def stop() -> bool:
        return interrupts.stop_requested

    interrupts.__enter__()
    return Workspace(site.workspace.settings, TESTER, watch=watch, stop=stop)


@pytest.fixture
def handlers() -> Iterator[None]:
    before = (
        signal.getsignal(signal.SIGINT),
        signal.getsignal(signal.SIGTERM),
        signal.getsignal(signal.SIGHUP),
    )
    yield
    for number, handler in zip((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), before, strict=True):
        signal.signal(number, handler)


def test_ctrl_c_ends_it_in_good_order_and_the_same_command_goes_on(
    site: SnapshotSite, handlers: None
) -> None:
    with stopping(site, "chunk") as workspace, pytest.raises(Interrupted, match="goes on"):
        do(SnapshotSite(workspace), request())
    assert states(site) == ["partial"]
    assert complete_ones(site.workspace.settings.exports) == []
    [partial] = site.workspace.settings.exports.rglob("*.partial")
    assert sorted(path.name for path in partial.iterdir()) == [".state.json", "library-1of3.tar"]
    site.events.clear()
    outcome = do(site, request())
    told = [(event.name.value, event.fields.get("number")) for event in site.events]
    assert [each for each in told if each[0] == "chunk"] == [("chunk", 2), ("chunk", 3)]
    assert outcome.state == "complete"
    assert states(site) == ["complete"]


def test_chunks_that_were_changed_meanwhile_are_made_again(site: SnapshotSite, handlers: None) -> None:
    with stopping(site, "chunk", 2) as workspace, pytest.raises(Interrupted):
        do(SnapshotSite(workspace), request())
    [first] = site.workspace.settings.exports.rglob("library-1of3.tar")
    data = bytearray(first.read_bytes())
    data[70_000] ^= 1
    first.write_bytes(data)
    outcome = do(site, request())
    assert "library-1of3.tar is not as it was written: it is made again" in site.warnings
    sums = (Path(outcome.place) / "SHA256SUMS").read_text()
    for name, data_now in contents(outcome.place).items():
        if name.endswith(".tar"):
            assert f"{hashlib.sha256(data_now).hexdigest()}  {name}" in sums


def test_other_content_is_another_export_and_what_was_begun_stays_until_it_expires(
    site: SnapshotSite, handlers: None
) -> None:
    with stopping(site, "chunk") as workspace, pytest.raises(Interrupted):
        do(SnapshotSite(workspace), request())
    site.publish("tools/base", {"dists/stable/Release": "new", "pool/main/a.deb": "a"})
    outcome = do(site, request())
    assert outcome.state == "complete"
    assert states(site) == ["complete", "partial"]
    [old] = site.workspace.settings.exports.rglob("*.partial")
    an_hour_ago = (old / ".state.json").stat().st_mtime - 3600
    os.utime(old / ".state.json", (an_hour_ago, an_hour_ago))
    records.reconcile(site.workspace)
    assert states(site) == ["complete", "partial"]
    hasty = copied_site(Path(), site.workspace.root, rules=ExportRules(unfinished=1800))
    with hasty as again:
        records.reconcile(again.workspace)
        assert states(again) == ["complete"]
    assert not old.exists()


def test_a_full_disk_is_told_and_leaves_nothing_that_looks_complete(template: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "3m") as disk:
        filler = disk / "filler"

        def watch(event: Event) -> None:
            if event.name.value == "chunk":
                free = os.statvfs(disk)
                filler.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - 90_000)))

        with copied_site(template, tmp_path / "content") as site:
            settings = site.workspace.settings
            with (
                Workspace(settings, TESTER, watch=watch) as workspace,
                pytest.raises(StateUnwritable) as told,
            ):
                do(SnapshotSite(workspace), request(), to=str(disk))
            assert "No space left on device" in told.value.message
            assert "chunks that are done are kept" in told.value.hint
            assert complete_ones(disk) == []
            assert sorted(path.name for path in disk.rglob("*.tar*")) == ["library-1of3.tar"]
            with pytest.raises(Refused, match="are free"):
                do(site, request(), to=str(disk))
            filler.unlink()
            outcome = do(site, request(), to=str(disk))
            made = [event.fields["number"] for event in site.events if event.name.value == "chunk"]
            assert made == [2, 3]
            assert complete_ones(disk) == [Path(outcome.place)]
            # A directory on another file system is made of copies.
            other = do(site, request("dir"), to=str(disk))
            tree = Path(other.place) / "content/tools/base"
            assert contents(tree).items() >= packages("tools/base").items()


def test_too_little_room_is_refused_before_the_first_byte(site: SnapshotSite, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        planned = do(site, request(), dry_run=True, to=str(disk))
        assert planned.needed > planned.free
        assert int(planned.exit_code) == 4
        with pytest.raises(Refused, match=r"takes .* are free"):
            do(site, request(), to=str(disk))
        assert list(disk.iterdir()) == []
    assert states(site) == []


def test_a_quota_is_refused_before_the_first_byte(template: Path, tmp_path: Path) -> None:
    with copied_site(template, tmp_path / "content", rules=ExportRules(quota=900_000)) as site:
        do(site, request())
        refused = do(site, request("tgz"), dry_run=True).refused
        assert "all may take" in refused
        with pytest.raises(Refused, match="all may take 879 KiB"):
            do(site, request("tgz"))
        assert len(complete_ones(site.workspace.settings.exports)) == 1
        (tmp_path / "usb").mkdir()
        assert do(site, request("tgz"), to=str(tmp_path / "usb")).state == "complete"


def test_two_at_once_are_not_and_who_waits_finds_it_done(site: SnapshotSite) -> None:
    root = site.workspace.settings.exports
    with line_lock(root, LIBRARY, "", 0):
        with pytest.raises(Busy, match=rf"the library \(pid {os.getpid()}"):
            do(site, request())
        assert do(site, request(destination="dc2")).state == "complete"
    held, let_go = threading.Event(), threading.Event()

    def other() -> None:
        with line_lock(root, LIBRARY, "", 0):
            held.set()
            let_go.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    held.wait(10)
    threading.Timer(0.3, let_go.set).start()
    assert do(site, request(), wait_lock=10.0).state == "complete"
    thread.join()


def test_nothing_leaves_the_pool_while_an_export_reads_it(site: SnapshotSite) -> None:
    refused = []

    def watch(event: Event) -> None:
        if event.name.value == "exporting":
            with pytest.raises(Busy):
                collect_garbage(site.workspace.pool)
            refused.append(event)

    with Workspace(site.workspace.settings, TESTER, watch=watch) as workspace:
        do(SnapshotSite(workspace), request())
    assert refused
    collect_garbage(site.workspace.pool)


def test_damaged_bytes_of_the_pool_are_not_exported(site: SnapshotSite) -> None:
    data = packages("tools/more")["pool/main/more2.deb"]
    assert isinstance(data, bytes)
    sha256 = hashlib.sha256(data).hexdigest()
    site.workspace.pool.object(sha256).write_bytes(b"X" + data[1:])
    with pytest.raises(BadContent, match=sha256):
        do(site, request())
    assert complete_ones(site.workspace.settings.exports) == []
    site.workspace.pool.object(sha256).write_bytes(data)
    assert do(site, request()).state == "complete"


def test_a_crash_between_the_rename_and_the_record_is_mended(site: SnapshotSite) -> None:
    outcome = do(site, request())
    record = records.find(site.workspace, "1")
    with site.workspace.catalog.changing(TESTER) as session:
        exports.update(session, replace(record, state="partial"))
    (Path(outcome.place) / ".state.json").write_text("{}")
    assert do(site, request()).state == "there already"
    assert states(site) == ["complete"]
    assert not (Path(outcome.place) / ".state.json").exists()
