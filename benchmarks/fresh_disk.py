# SPDX-License-Identifier: GPL-3.0-or-later
"""A file system that nobody has used before, for every tool.

ext4 does not give out again the inodes that were deleted in the last minutes, and searches past them one by
one: a mirror made after the last one was removed is up to ten times slower than that one was. So every run
gets a new ext4 on a loop device, and nothing is removed in it. That takes root; without, every run gets a
directory of its own, and they are removed at the end.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Self

_TOOLS = ("mkfs.ext4", "mount", "umount")


class FreshDisk:
    """Directories in `directory`. To be used as a context manager."""

    def __init__(self, directory: Path, gigabytes: int, *, real: bool = True) -> None:
        self._directory, self._gigabytes = directory, gigabytes
        self._image, self._point = directory / "disk.img", directory / "disk"
        self._mounted, self._count = False, 0
        self.real = real and os.geteuid() == 0 and all(_program(tool) for tool in _TOOLS)

    def __str__(self) -> str:
        return "a new ext4 on a loop device for every run" if self.real else "a new directory for every run"

    def fresh(self) -> Path:
        """An empty directory; what an earlier call gave is gone, or is not used any more."""
        if self.real:
            self._unmount()
            self._mount()
            return self._point
        self._count += 1
        path = self._directory / f"run-{self._count}"
        path.mkdir()
        return path

    def _mount(self) -> None:
        if not self._image.exists():
            with self._image.open("wb") as stream:
                stream.truncate(self._gigabytes << 30)
        # Tables that are written later would be written during the run.
        options = "lazy_itable_init=1,lazy_journal_init=1"
        subprocess.run([_program("mkfs.ext4"), "-q", "-F", "-E", options, str(self._image)], check=True)
        self._point.mkdir(exist_ok=True)
        mount = [_program("mount"), "-o", "loop,noinit_itable", str(self._image), str(self._point)]
        try:
            subprocess.run(mount, check=True, capture_output=True)
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"no loop device: {error.stderr.decode().strip()}") from None
        self._mounted = True

    def _unmount(self) -> None:
        if self._mounted:
            subprocess.run([_program("umount"), str(self._point)], check=True)
            self._mounted = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        self._unmount()
        self._image.unlink(missing_ok=True)
        for path in self._directory.glob("run-*"):
            shutil.rmtree(path, ignore_errors=True)


def _program(name: str) -> str:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or ""
