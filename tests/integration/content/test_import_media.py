# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports from media that are incomplete, mixed up, damaged, or made by somebody with bad intentions."""

import itertools
import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.content.exports import manifest as manifests
from orchestrator.content.exports.front import Front
from orchestrator.content.exports.manifest import Piece, with_id
from orchestrator.content.imports.opening import open_media
from orchestrator.content.imports.outcome import ImportOutcome
from orchestrator.errors import BadContent, ExitCode, OrchestratorError, Refused
from tests.support.disks import read_only
from tests.support.nobody import as_nobody, public_directory
from tests.support.receiving import Server, server
from tests.support.sending import (
    KEY,
    STRANGER,
    MemoryMedium,
    Sent,
    contents,
    increment,
    of,
    sha256,
)

WEB, TOOLS = Sent("os/web", contents("a", "b", "c")), Sent("own/tools", contents("d", "e"))
FIRST = of(WEB, TOOLS)
LATER = "2026-02-01T00:00:00.000Z"
SECOND = increment(of(replace(WEB, contents=contents("a", "b", "x"), made=LATER), TOOLS), FIRST)
# One medium with everything; objects larger than 100 bytes in segments, on media of three pieces.
WHOLE = replace(SECOND, chunk=1000, known=frozenset(), repositories=SECOND.repositories)
SEGMENTED = of(WEB, TOOLS, segment=100)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Server]:
    with server(tmp_path) as found:
        yield found


def complete(receiver: Server, *, of: Any = FIRST) -> bool:
    return all(receiver.repository(each.path).items() >= each.contents.items() for each in of.repositories)


def test_media_come_in_any_order(tmp_path: Path) -> None:
    media = FIRST.media()
    assert len(media) == 3
    for number, order in enumerate(itertools.permutations(media)):
        with server(tmp_path / str(number)) as receiver:
            codes = [receiver.run([medium]).exit_code for medium in order]
            assert codes == [ExitCode.LOSSES, ExitCode.LOSSES, ExitCode.DONE]
            assert complete(receiver)
            assert receiver.rows(with_imports=True)["imports"] == {FIRST.id: "complete"}


def test_segments_of_an_object_come_in_any_order(tmp_path: Path) -> None:
    media = SEGMENTED.media()
    for order in (media[::-1], [*media[1::2], *media[::2]]):
        with server(tmp_path / str(len(list(tmp_path.iterdir())))) as receiver:
            for medium in order[:-1]:
                assert receiver.run([medium]).exit_code is ExitCode.LOSSES
            assert receiver.run(order[-1:]).exit_code is ExitCode.DONE
            assert complete(receiver)


def test_a_medium_that_comes_twice_is_told_and_does_no_harm(receiver: Server) -> None:
    media = FIRST.media()
    outcome = receiver.run([media[0], *FIRST.media()])
    assert outcome.exit_code is ExitCode.DONE
    assert complete(receiver)
    assert [report.problems for report in outcome.media][1] == ["chunk 1 is on another medium, too"]


def test_a_medium_of_another_export_is_an_import_of_its_own(receiver: Server) -> None:
    other = of(Sent("os/other", contents("o", "p", "q", "r")))
    outcome = receiver.run([*FIRST.media(), other.media()[0]])
    assert outcome.exit_code is ExitCode.LOSSES
    assert {each.planned.id: each.state for each in outcome.exports} == {
        FIRST.id: "complete", other.id: "going on",
    }  # fmt: skip
    assert complete(receiver)
    assert receiver.repository("os/other") == {}


def test_media_that_cannot_be_read_are_told_one_by_one(receiver: Server, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"no archive" * 1000)
    (tmp_path / "b.iso").write_bytes(b"")
    paths = [tmp_path / "a.tar", tmp_path / "b.iso", *FIRST.directories(tmp_path / "media")]
    outcome = receiver.run(open_media(paths))
    assert complete(receiver), "the others are good"
    assert [report.error is not None for report in outcome.media] == [True, True, False, False, False]
    assert all(report.error and report.name in report.error.message for report in outcome.media[:2])
    assert outcome.exit_code is ExitCode.STEP_FAILED, "who knows what was on them"


def test_a_medium_that_is_cut_off_is_taken_as_far_as_it_goes(receiver: Server, tmp_path: Path) -> None:
    [medium] = of(WEB, TOOLS, chunk=100).media()
    whole = archive(tmp_path / "whole.tar", medium)
    data, objects = whole.read_bytes(), sorted(path for path in medium.files if path.startswith("objects/"))
    with tarfile.open(whole) as tar:
        middle = tar.getmember(objects[3]).offset_data + 10
    cut = tmp_path / "cut.tar"
    cut.write_bytes(data[:middle])
    outcome = receiver.run(open_media([cut]))
    assert outcome.exit_code is ExitCode.LOSSES
    assert outcome.objects == 3
    assert outcome.media[0].error is not None
    assert receiver.served() == {}
    assert receiver.run(open_media([whole])).exit_code is ExitCode.DONE
    assert complete(receiver)


@pytest.mark.parametrize("place", sorted(WHOLE.media()[0].files))
def test_one_flipped_bit_is_refused_or_repaired(place: str, tmp_path: Path) -> None:
    with server(tmp_path) as receiver:
        receiver.run(FIRST.media())
        before = receiver.state()
        [medium] = WHOLE.media()
        middle = len(medium.files[place]) // 2
        flipped = bytearray(medium.files[place])
        flipped[middle] ^= 4
        medium.files[place] = bytes(flipped)
        needed = place.startswith(("manifest", "inventories", "objects"))
        outcome = attempt(receiver, medium)
        if isinstance(outcome, OrchestratorError):
            assert place in ("manifest.json", "manifest.sig")
            assert receiver.state() == before
            assert not list((receiver.root / "imports").glob("*/"))
        elif needed and outcome.exit_code is not ExitCode.DONE:
            assert receiver.state() == before or place.startswith("inventories/")
        seen = receiver.repository("os/web")
        assert seen == WEB.contents or seen.items() >= SECOND.repositories[0].contents.items()
        # A good copy of the medium ends it.
        assert receiver.run(WHOLE.media()).exit_code is ExitCode.DONE
        assert complete(receiver, of=SECOND)


def attempt(receiver: Server, medium: MemoryMedium) -> ImportOutcome | OrchestratorError:
    try:
        return receiver.run([medium])
    except OrchestratorError as error:
        return error


def test_a_flipped_bit_in_a_segment_leaves_all_of_its_object(receiver: Server) -> None:
    media = SEGMENTED.media()
    place = next(path for path in media[1].files if path.startswith("objects/") and "." in path)
    good = media[1].files[place]
    media[1].files[place] = b"x" + good[1:]
    outcome = receiver.run(media)
    assert outcome.exit_code is ExitCode.LOSSES
    assert [each.path.split(".")[0] for each in outcome.damaged] == [place.split(".")[0]]
    assert receiver.run(SEGMENTED.media()).exit_code is ExitCode.DONE
    assert complete(receiver)


def test_another_copy_repairs_what_is_damaged_on_one(receiver: Server) -> None:
    first, again = of(WEB, TOOLS, chunk=100).media(), of(WEB, TOOLS, chunk=100).media()
    places = [path for path in first[0].files if path.startswith(("objects", "inventories"))]
    for at, place in enumerate(places):
        [damaged] = first if at % 2 else again
        damaged.files[place] = b"?" + damaged.files[place][1:]
    outcome = receiver.run([*first, *again])
    assert outcome.exit_code is ExitCode.DONE
    assert complete(receiver)
    assert outcome.damaged


def test_nobody_is_believed_who_is_not_trusted(receiver: Server) -> None:
    with pytest.raises(Refused, match="not trusted"):
        receiver.run(replace(FIRST, signer=STRANGER).media()[:1])
    assert receiver.pooled() == set()
    assert receiver.rows()["organizations"] == ["default"]
    for medium in receiver_looked_at(receiver):
        assert set(medium.read) <= {"manifest.json", "manifest.sig"}


def receiver_looked_at(receiver: Server) -> list[MemoryMedium]:
    """Media of a stranger whom somebody says to be one who is trusted."""
    stranger = replace(FIRST, signer=STRANGER)
    manifest = with_id(replace(stranger.manifest, signer=KEY.public.id))
    data = manifests.to_bytes(manifest)
    media = stranger.media()[:1]
    media[0].files |= {"manifest.json": data, "manifest.sig": STRANGER.sign(data)}
    with pytest.raises(BadContent, match="does not fit"):
        receiver.run(media)
    return media


def test_a_manifest_with_the_lists_of_another_is_refused(receiver: Server) -> None:
    [medium] = of(WEB, chunk=100).media()
    wrong = Sent("os/web", contents("a", "evil"))
    medium.files[f"inventories/{WEB.inventory}"] = wrong.listed
    outcome = receiver.run([medium])
    assert outcome.exit_code is ExitCode.REFUSED
    assert receiver.served() == {}


@pytest.mark.parametrize(
    "path",
    ["../../../etc/passwd", "/etc/passwd", "a/../../b", "pool//x", "./x", "a\\..\\b", "x\ty", "os/\x00", "."],
)
def test_paths_that_lead_out_of_a_tree_are_refused(path: str, tmp_path: Path) -> None:
    bytes_ = b"evil"
    listed = f"# inventory 1\n{sha256(bytes_)} {len(bytes_)} {path}\n# end\n".encode()
    with server(tmp_path) as receiver:
        outcome = receiver.run([signed_by_a_friend(listed, {sha256(bytes_): bytes_})])
        assert outcome.exit_code is ExitCode.REFUSED
        assert receiver.served() == {}
        assert outside(tmp_path) == {"server", "trusted"}


def signed_by_a_friend(listed: bytes, objects: dict[str, bytes]) -> MemoryMedium:
    """A medium that is signed by a key that is trusted, whatever its list says."""
    entry = replace(WEB.entry, inventory=sha256(listed))
    sending = of(WEB, chunk=100)
    pieces = [Piece(name, len(data), 0, len(data)) for name, data in objects.items()]
    index = manifests.index_bytes(1, 1, pieces)
    size = sum(piece.length for piece in pieces)
    chunk = replace(sending.manifest.chunks[0], index=sha256(index), objects=len(pieces), bytes=size)
    manifest = with_id(
        replace(sending.manifest, repositories=(entry,), chunks=(chunk,), objects=len(pieces), bytes=size)
    )
    data = manifests.to_bytes(manifest)
    front = Front(manifest, data, KEY.sign(data), {entry.inventory: listed}, [index])
    files = {small.path: small.data for small in front.of_chunk(1, pieces)}
    return MemoryMedium("friend.tar", files | {piece.place: objects[piece.sha256] for piece in pieces})


def outside(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()}


def test_sizes_that_no_disk_has_are_refused_before_anything_is_written(receiver: Server) -> None:
    name = sha256(b"small")
    listed = f"# inventory 1\n{name} {1 << 60} x\n# end\n".encode()
    medium = signed_by_a_friend(listed, {name: b"small"})
    outcome = receiver.run([medium])
    assert outcome.exit_code is ExitCode.LOSSES, "what is on the medium is not what the list says"
    assert receiver.pooled() == set()
    assert receiver.served() == {}


def test_files_that_are_no_files_are_refused(receiver: Server, tmp_path: Path) -> None:
    [directory] = of(WEB, chunk=100).directories(tmp_path / "media")
    victim = next((directory / "objects").rglob("*/*"))
    data = victim.read_bytes()
    (tmp_path / "secret").write_bytes(data)
    makes: list[Callable[[], None]] = [
        lambda: victim.symlink_to(tmp_path / "secret"),
        lambda: os.mkfifo(victim),
        victim.mkdir,
    ]
    for make in makes:
        victim.unlink()
        make()
        outcome = attempt_path(receiver, directory)
        assert outcome.exit_code in (ExitCode.LOSSES, ExitCode.STEP_FAILED)
        assert receiver.served() == {}
        victim.rmdir() if victim.is_dir() else victim.unlink()
        victim.write_bytes(data)
    assert receiver.run(open_media([directory])).exit_code is ExitCode.DONE


def attempt_path(receiver: Server, path: Path) -> Any:
    try:
        return receiver.run(open_media([path]))
    except OrchestratorError as error:
        return error


def test_objects_at_foreign_places_are_not_looked_at(receiver: Server) -> None:
    [medium] = of(WEB, chunk=100).media()
    medium.files |= {
        "objects/zz/" + 64 * "z": b"?",
        "objects/" + 64 * "a": b"?",
        f"objects/{64 * 'a'}.x": b"?",
        "content/os/web/index": b"evil",
        "published/acme/library/default/os/web/index": b"evil",
    }
    assert receiver.run([medium]).exit_code is ExitCode.DONE
    assert receiver.repository("os/web") == WEB.contents


def test_read_only_media_are_imported_as_they_are(receiver: Server, tmp_path: Path) -> None:
    place = tmp_path / "media"
    paths = FIRST.directories(place)
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    with read_only(place):
        assert receiver.run(open_media(paths)).exit_code is ExitCode.DONE
    assert complete(receiver)
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before


def test_a_plan_can_be_made_by_somebody_who_may_change_nothing() -> None:
    with public_directory() as place, server(place, fresh=True) as receiver:
        FIRST.directories(place / "media")
        with as_nobody():
            plan = receiver.plan(open_media(sorted((place / "media").iterdir())))
        assert plan.exit_code is ExitCode.DONE
        assert plan.exports[0].missing.objects == len(FIRST.objects)
        assert not receiver.root.exists()


def test_a_pipe_is_imported_in_one_pass(tmp_path: Path) -> None:
    import subprocess
    import sys

    [medium] = of(WEB, TOOLS, chunk=100).media()
    whole = archive(tmp_path / "whole.tar", medium)
    key = tmp_path / "key.pem"
    key.write_bytes(KEY.public.pem)
    config = tmp_path / "orchestrator.yaml"
    config.write_text(f"content:\n  root: {tmp_path}/server\n  exports: {tmp_path}/exports\n")
    words = [sys.executable, "-m", "orchestrator", "import", "run", "-", "--trust", str(key)]
    with subprocess.Popen(["cat", str(whole)], stdout=subprocess.PIPE) as cat:
        done = subprocess.run(
            [*words, "--config", str(config)], stdin=cat.stdout, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr
    with server(tmp_path) as receiver:
        assert complete(receiver)


def archive(path: Path, medium: MemoryMedium) -> Path:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in medium.files.items():
            from io import BytesIO

            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, BytesIO(data))
    return path
