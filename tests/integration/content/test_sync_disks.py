# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports and imports by the command line on disks that are full, read-only, or cannot be read: what is told, what
there is afterwards, and that the same command goes on."""

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import ExitCode
from tests.support.disks import fill, read_only, small_disk, unchangeable
from tests.support.export_site import complete_ones
from tests.support.nobody import without_power
from tests.support.real_media import FORMATS, Chain, dump, made_chain, receiving, served, trees_of
from tests.support.requirements import require
from tests.support.sync_host import Host, words_of
from tests.support.warm import WarmProgram, warm_program


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with made_chain() as made:
        yield made


@pytest.fixture(scope="module")
def program() -> Iterator[WarmProgram]:
    with warm_program() as made:
        yield made


@pytest.fixture
def host(chain: Chain, program: WarmProgram) -> Iterator[Host]:
    place = chain.place / "test"
    place.mkdir()
    yield Host(chain, program, place)
    shutil.rmtree(place)


def leave(disk: Path, room: int) -> Path:
    """Fill the disk but for so many bytes."""
    subprocess.run(["bash", "-c", fill(disk)], check=True)
    filler = disk / "filler"
    os.truncate(filler, max(0, filler.stat().st_size - room))
    return filler


# Full disks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", FORMATS)
def test_neither_side_needs_room_for_temporary_files(host: Host, format_: str) -> None:
    with small_disk(host.place / "tmp", "64k") as tmp:
        leave(tmp, 0)
        sender, receiver = host.sender(host.place / "sender"), host.receiver(host.place / "receiver")
        code, said = host.run(sender, *words_of(format_), TMPDIR=str(tmp))
        assert code == 0, said
        [made] = complete_ones(sender / "exports")
        code, said = host.run(receiver, "import", "run", made, TMPDIR=str(tmp))
        assert code == 0, said
        assert os.listdir(tmp) == ["filler"]
    assert trees_of(served(receiver / "content")) == host.chain.after


@pytest.mark.parametrize("format_", FORMATS)
def test_too_little_room_for_an_export_is_refused_before_the_first_byte(host: Host, format_: str) -> None:
    sender = host.sender(host.place / "sender")
    with small_disk(host.place / "disk", "4m") as disk:
        (disk / "here").mkdir()
        command: list[str | Path] = [*words_of(format_), "--to", disk / "here"]
        filler = leave(disk, 100_000)
        code, said = host.run(sender, *command)
        assert (code, "are free" in said) == (ExitCode.REFUSED, True), said
        assert list((disk / "here").iterdir()) == []
        filler.unlink()
        code, said = host.run(sender, *command)
        assert code == 0, said


@pytest.mark.parametrize(("format_", "chunks"), [("tgz", 3), ("iso", 5)])
def test_an_export_whose_disk_fills_up_goes_on_at_that_chunk(host: Host, format_: str, chunks: int) -> None:
    """Somebody else took what was free when it began."""
    sender = host.sender(host.place / "sender")
    failing = [sys.executable, "-m", "tests.support.failing", f"2of{chunks}.{format_}.part"]
    words = words_of(format_)
    code, said = host.start(sender, *words, program=[*failing, "1", "ENOSPC"])
    assert code == ExitCode.STEP_FAILED, said
    assert "No space left on device" in said
    assert complete_ones(sender / "exports") == []
    [partial] = (sender / "exports").rglob("*.partial")
    assert {path.suffix for path in partial.iterdir()} == {".json", f".{format_}"}
    [first] = partial.glob(f"*.{format_}")
    made = (first.name, first.stat().st_mtime_ns)
    code, said = host.run(sender, *words)
    assert code == 0, said
    [place] = complete_ones(sender / "exports")
    assert (place / made[0]).stat().st_mtime_ns == made[1]
    assert not list((sender / "exports").rglob("*.partial"))


@pytest.mark.parametrize("format_", ["dir", "iso"])
def test_an_import_whose_disk_fills_up_keeps_what_was_served_and_goes_on(host: Host, format_: str) -> None:
    with small_disk(host.place / "disk", "16m") as disk:
        receiver = host.receiver(disk / "receiver")
        before = served(receiver / "content")
        failures = set()
        for room in (8_000, 40_000, 300_000, 330_000, 360_000, 390_000, 4_000_000):
            filler = leave(disk, room)
            code, said = host.run(receiver, "import", "run", *host.media(format_))
            filler.unlink()
            if code == 0:
                break
            failures.add((code, bool(re.search("No space left|are free|free some space", said)) or said))
            assert "Traceback" not in said
            found = trees_of(served(receiver / "content"))
            assert all(
                tree in (host.chain.before.get(path), host.chain.after.get(path))
                for path, tree in found.items()
            )
        assert failures, before
        assert all(told is True for _, told in failures), failures
        assert code == 0, said
        with receiving(receiver) as here:
            assert trees_of(here.served()) == host.chain.after
            assert here.leftovers() == []


# Disks that cannot be written or read -----------------------------------------------------------------


@pytest.mark.parametrize("format_", ["dir", "tar"])
def test_a_read_only_exports_directory_is_told_and_nothing_is_recorded(host: Host, format_: str) -> None:
    sender = host.sender(host.place / "sender")
    (sender / "exports").mkdir()
    with read_only(sender / "exports"):
        code, said = host.run(sender, *words_of(format_))
    assert code == ExitCode.STEP_FAILED, (code, said)
    assert str(sender / "exports") in said
    assert "Read-only file system" in said
    assert list((sender / "exports").iterdir()) == []
    assert host.run(sender, *words_of(format_))[0] == 0


def test_an_exports_directory_that_cannot_be_changed_is_told(host: Host) -> None:
    sender = host.sender(host.place / "sender")
    (sender / "exports").mkdir()
    with unchangeable(sender / "exports"):
        code, said = host.run(sender, *words_of("tar"))
    assert code in (ExitCode.STEP_FAILED, ExitCode.NOT_PERMITTED), (code, said)
    assert "Traceback" not in said
    assert host.run(sender, *words_of("tar"))[0] == 0


@pytest.mark.parametrize("format_", FORMATS)
def test_read_only_media_are_imported_and_stay_as_they_are(host: Host, format_: str) -> None:
    receiver = host.receiver(host.place / "receiver")
    media = host.place / "media"
    shutil.copytree(host.chain.place / "media" / format_, media)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in media.rglob("*")}
    with read_only(media):
        code, said = host.run(receiver, "import", "run", media)
    assert code == 0, said
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in media.rglob("*")} == before
    assert trees_of(served(receiver / "content")) == host.chain.after


@pytest.mark.parametrize("what", ["a pipe", "a directory", "a device", "a socket"])
def test_what_is_no_file_in_the_place_of_a_chunk_is_told_and_the_others_are_taken(
    host: Host, what: str
) -> None:
    receiver = host.receiver(host.place / "receiver")
    media = host.place / "media"
    shutil.copytree(host.chain.place / "media" / "tar", media)
    victim = media / "library-2of3.tar"
    victim.unlink()
    if what == "a pipe":
        os.mkfifo(victim)
    elif what == "a directory":
        victim.mkdir()
    elif what == "a device":
        require(os.geteuid() == 0, "this needs to make a device: root")
        os.mknod(victim, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    else:
        import socket

        with socket.socket(socket.AF_UNIX) as made:
            os.chdir(media)
            made.bind("library-2of3.tar")
            os.chdir("/")
    before = served(receiver / "content")
    code, said = host.run(receiver, "import", "run", *sorted(media.glob("*.tar")))
    assert code not in (0, ExitCode.LOSSES), said
    assert "library-2of3.tar" in said
    assert "Traceback" not in said
    assert trees_of(served(receiver / "content")).keys() >= trees_of(before).keys()
    code, said = host.run(receiver, "import", "run", *host.media("tar"))
    assert code == 0, said
    assert trees_of(served(receiver / "content")) == host.chain.after


def test_a_medium_that_may_not_be_read_is_told_before_anything_is_done(host: Host) -> None:
    receiver = host.receiver(host.place / "receiver")
    media = host.place / "media"
    shutil.copytree(host.chain.place / "media" / "tar", media)
    (media / "library-2of3.tar").chmod(0)
    before = served(receiver / "content"), dump(receiver / "content")
    code, said = host.start(receiver, "import", "run", *sorted(media.glob("*.tar")), wrapper=without_power())
    assert code not in (0, ExitCode.LOSSES), said
    assert "library-2of3.tar" in said
    assert (served(receiver / "content"), dump(receiver / "content")) == before
    code, said = host.run(receiver, "import", "run", media)
    assert code == 0, said
    assert trees_of(served(receiver / "content")) == host.chain.after
