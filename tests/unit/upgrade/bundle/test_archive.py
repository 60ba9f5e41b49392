# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive: what is made last stands first, names of any length, the real tar reads it."""

import os
import shutil
import subprocess
from pathlib import Path

from orchestrator.upgrade.bundle.archive import Archive
from tests.support.requirements import require


def write(directory: Path, members: dict[str, bytes]) -> Path:
    path = directory / "x.tar.zst"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    with Archive("root", directory, 1000.0) as archive:
        for name, data in members.items():
            archive.add(name, data)
        archive.finish([("CONTENTS.txt", b"first\n")], descriptor)
    os.close(descriptor)
    return path


def test_the_real_tar_unpacks_it(tmp_path: Path) -> None:
    require(shutil.which("zstd") is not None, "no zstd for tar")
    members = {
        "a.txt": b"a" * 511,
        "empty": b"",
        "b/large": os.urandom(3 << 20),
        "c/" + "long" * 60 + "/ümlaut.txt": b"x" * 512,
    }
    path = write(tmp_path, members)
    assert [one.name for one in tmp_path.iterdir()] == ["x.tar.zst"]
    listed = subprocess.run(["tar", "--zstd", "-tf", path], capture_output=True, text=True, check=True).stdout
    assert listed.splitlines()[:3] == ["root/", "root/CONTENTS.txt", "root/a.txt"]
    subprocess.run(["tar", "--zstd", "-C", tmp_path, "-xf", path], check=True)
    for name, data in members.items():
        assert (tmp_path / "root" / name).read_bytes() == data
        assert (tmp_path / "root" / name).stat().st_mode & 0o777 == 0o600


def test_nothing_is_left_of_one_that_is_not_finished(tmp_path: Path) -> None:
    with Archive("root", tmp_path, 0.0) as archive:
        archive.add("a", b"b")
        assert not list(tmp_path.iterdir())
