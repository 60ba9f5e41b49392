# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian archives: packages that dpkg-deb and apt take, with the real stanza in them, and signed indexes."""

import gzip
import hashlib
import io
import lzma
import random
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from making import Job, Made
from signing import Signer

SUITE, COMPONENT, ARCHITECTURE = "bookworm", "main", "amd64"
_NOT_IN_CONTROL = ("Filename", "Size", "MD5sum", "SHA1", "SHA256", "Description-md5", "Tag")
_TAR_BLOCK, _TAR_END = 512, 1024


@dataclass(frozen=True, slots=True)
class DebMaker:
    signer: Signer

    def package(self, job: Job) -> tuple[str, bytes]:
        return job.fields["Filename"], make_deb(job)

    def publish(self, made: Made) -> None:
        suite = made.tree / "dists" / SUITE
        indexes = _indexes(made)
        for name, data in indexes.items():
            _write_with_digests(suite / name, data)
        release = _release(indexes, made.serial)
        (suite / "Release").write_bytes(release)
        (suite / "Release.gpg").write_bytes(self.signer.detached(release))
        (suite / "InRelease").write_bytes(self.signer.clear(release))


def make_deb(job: Job) -> bytes:
    """A package of about `job.size` bytes: one file of random bytes, or none when there is no room."""
    control = "".join(f"{key}: {value}\n" for key, value in job.fields.items() if key not in _NOT_IN_CONTROL)
    parts = [
        b"!<arch>\n",
        _member("debian-binary", b"2.0\n"),
        _member("control.tar.gz", gzip.compress(_tar("./control", control.encode()), 6, mtime=0)),
    ]
    room = job.size - sum(map(len, parts)) - 60 - _TAR_BLOCK - _TAR_END
    if room < 1:
        parts.append(_member("data.tar.gz", gzip.compress(b"\0" * _TAR_END, 9, mtime=0)))
    else:
        name = job.fields["Package"]
        content = random.Random(f"{job.seed}:{name}").randbytes(room)
        parts.append(_member("data.tar", _tar(f"./usr/share/{name[:60]}/content", content)))
    return b"".join(parts)


def _member(name: str, data: bytes) -> bytes:
    """Of an ar archive."""
    head = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n"
    return head.encode() + data + b"\n" * (len(data) & 1)


def _tar(name: str, data: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    padding = b"\0" * (-len(data) % _TAR_BLOCK)
    return info.tobuf(tarfile.USTAR_FORMAT) + data + padding + b"\0" * _TAR_END


def _indexes(made: Made) -> dict[str, bytes]:
    directory = f"{COMPONENT}/binary-{ARCHITECTURE}"
    stanzas = io.StringIO()
    for job, file in zip(made.jobs, made.files, strict=True):
        md5 = hashlib.md5((made.tree / file.path).read_bytes(), usedforsecurity=False).hexdigest()
        own = {"Filename": file.path, "Size": str(file.size), "MD5sum": md5, "SHA256": file.sha256}
        fields = {key: value for key, value in job.fields.items() if key != "SHA1"} | own
        stanzas.writelines(f"{key}: {value}\n" for key, value in fields.items())
        stanzas.write("\n")
    packages = stanzas.getvalue().encode()
    about = (
        f"Archive: {SUITE}\nOrigin: Made\nLabel: Made\nAcquire-By-Hash: yes\n"
        f"Component: {COMPONENT}\nArchitecture: {ARCHITECTURE}\n"
    )
    return {
        f"{directory}/Packages": packages,
        f"{directory}/Packages.gz": gzip.compress(packages, 6, mtime=0),
        f"{directory}/Packages.xz": lzma.compress(packages, preset=6),
        f"{directory}/Release": about.encode(),
    }


def _write_with_digests(path: Path, data: bytes) -> None:
    for label, algorithm in (("MD5Sum", "md5"), ("SHA256", "sha256")):
        digest = hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()
        directory = path.parent / "by-hash" / label
        directory.mkdir(parents=True, exist_ok=True)
        (directory / digest).write_bytes(data)
    path.write_bytes(data)


def _release(indexes: dict[str, bytes], serial: int) -> bytes:
    when = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=serial)
    lines = [
        "Origin: Made",
        "Label: Made",
        "Suite: stable",
        f"Version: 12.{serial}",
        f"Codename: {SUITE}",
        f"Date: {format_datetime(when).replace('+0000', 'UTC')}",
        "Acquire-By-Hash: yes",
        f"Architectures: all {ARCHITECTURE}",
        f"Components: {COMPONENT}",
        "Description: made for benchmarks",
    ]
    for label, algorithm in (("MD5Sum", "md5"), ("SHA256", "sha256")):
        lines.append(f"{label}:")
        for name, data in sorted(indexes.items()):
            digest = hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()
            lines.append(f" {digest} {len(data):8} {name}")
    return ("\n".join(lines) + "\n").encode()
