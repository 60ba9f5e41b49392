# SPDX-License-Identifier: GPL-3.0-or-later
"""rpm-md repositories: Debian's graph of packages in RPM's terms, as packages that rpm and dnf take.

A package is a lead, a signature header with sizes and digests, a main header with its immutable region, and
a gzipped cpio archive (the format is described in rpm's own manual). Versions: `1:2.3-4+b1` is epoch 1,
version 2.3, release 4+b1 (1 where Debian has none). `a (>= 1) | b` is the rich dependency `(a >= 1 or b)`.
The metadata is made from the files by createrepo_c.
"""

import gzip
import hashlib
import os
import random
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from debian_index import Relation, relation
from making import Job, Made
from measuring import processors
from signing import Signer

_INT16, _INT32, _STRING, _BINARY, _STRINGS, _TRANSLATED = 3, 4, 6, 7, 8, 9
_LESS, _GREATER, _EQUAL, _RPMLIB = 2, 4, 8, 1 << 24
_FLAGS = {"<<": _LESS, "<=": _LESS | _EQUAL, "=": _EQUAL, ">=": _GREATER | _EQUAL, ">>": _GREATER}
_WORDS = {"<<": "<", "<=": "<=", "=": "=", ">=": ">=", ">>": ">"}
_WHEN = 1_700_000_000
# Tags of the relations: name, flags, version.
_REQUIRES, _PROVIDES, _CONFLICTS, _RECOMMENDS = (
    (1049, 1048, 1050),
    (1047, 1112, 1113),
    (1054, 1053, 1055),
    (5046, 5048, 5047),
)
_MAIN_REGION, _SIGNATURE_REGION = 63, 62


class Entry(NamedTuple):
    tag: int
    type: int
    value: str | bytes | Sequence[str] | Sequence[int]


class Need(NamedTuple):
    name: str
    flags: int = 0
    version: str = ""


class Content(NamedTuple):
    path: str
    mode: int
    data: bytes


@dataclass(frozen=True, slots=True)
class RpmMaker:
    signer: Signer

    def package(self, job: Job) -> tuple[str, bytes]:
        name, data = make_rpm(job)
        return f"Packages/{name[0].lower()}/{name}", data

    def publish(self, made: Made) -> None:
        options = ["--quiet", "--no-database", "--compatibility", "--set-timestamp-to-revision"]
        workers = ["--workers", str(processors()), "--revision", str(_WHEN + made.serial)]
        subprocess.run([createrepo(), *options, *workers, str(made.tree)], check=True)
        repomd = made.tree / "repodata" / "repomd.xml"
        Path(f"{repomd}.asc").write_bytes(self.signer.detached(repomd.read_bytes()))


def createrepo() -> str:
    """The program, of the wheel where there is one."""
    found = shutil.which(
        "createrepo_c", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    if found is None:
        raise RuntimeError("createrepo_c is not installed")
    return found


def make_rpm(job: Job) -> tuple[str, bytes]:
    """The file name and the bytes of a package of about `job.size` bytes."""
    fields = job.fields
    name, identity = fields["Package"], _Identity.of(fields)
    files = _files(name, job)
    archive = _cpio(files)
    payload = gzip.compress(archive, 0 if job.size > 4000 else 9, mtime=0)
    header = _header(_entries(fields, identity, files, payload), _MAIN_REGION)
    body = header + payload
    signature = _header(
        [
            Entry(269, _STRING, hashlib.sha1(header, usedforsecurity=False).hexdigest()),
            Entry(273, _STRING, hashlib.sha256(header).hexdigest()),
            Entry(1000, _INT32, [len(body)]),
            Entry(1004, _BINARY, hashlib.md5(body, usedforsecurity=False).digest()),
            Entry(1007, _INT32, [len(archive)]),
        ],
        _SIGNATURE_REGION,
    )
    label = f"{name}-{identity.version}-{identity.release}"
    lead = struct.pack(">4sBBhh66shh16s", b"\xed\xab\xee\xdb", 3, 0, 0, 1, label.encode()[:65], 1, 5, b"")
    padding = b"\0" * (-len(signature) % 8)
    return f"{label}.{identity.architecture}.rpm", lead + signature + padding + body


class _Identity(NamedTuple):
    epoch: int
    version: str
    release: str
    architecture: str

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> "_Identity":
        epoch, version, release = _evr(fields["Version"])
        architecture = "noarch" if fields["Architecture"] == "all" else "x86_64"
        return cls(epoch, version, release or "1", architecture)

    @property
    def full(self) -> str:
        return (f"{self.epoch}:" if self.epoch else "") + f"{self.version}-{self.release}"


def _evr(version: str) -> tuple[int, str, str]:
    epoch, _, rest = version.partition(":") if ":" in version else ("0", "", version)
    upstream, _, release = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return int(epoch), upstream.replace("-", "."), release


def _files(name: str, job: Job) -> list[Content]:
    files = [Content(f"/usr/share/licenses/{name}/COPYING", 0o100644, b"made\n")]
    if not name.startswith("lib") and not name.endswith(("-doc", "-data", "-dev", "-common")):
        files.append(Content(f"/usr/bin/{name}", 0o100755, b"#!/bin/sh\nexit 0\n"))
    if job.size > 4000:
        content = random.Random(f"{job.seed}:{name}").randbytes(job.size - 3500)
        files.append(Content(f"/usr/share/{name}/content", 0o100644, content))
    return sorted(files)


def _cpio(files: Iterable[Content]) -> bytes:
    parts = []
    for number, file in enumerate([*files, Content("TRAILER!!!", 0, b"")], 1):
        path = file.path if file.path == "TRAILER!!!" else f".{file.path}"
        numbers = [number, file.mode, 0, 0, 1, 0, len(file.data), 0, 0, 0, 0, len(path) + 1, 0]
        head = b"070701" + b"".join(b"%08x" % one for one in numbers) + path.encode() + b"\0"
        parts += [head, b"\0" * (-len(head) % 4), file.data, b"\0" * (-len(file.data) % 4)]
    return b"".join(parts)


# Headers --------------------------------------------------------------------------------------------------


def _header(entries: Iterable[Entry], region: int) -> bytes:
    """A header structure: sorted index, aligned store, the trailer of its region."""
    index: list[tuple[int, int, int, int]] = []
    store = bytearray()
    for entry in sorted(entries):
        data, count, alignment = _stored(entry)
        store += b"\0" * (-len(store) % alignment)
        index.append((entry.tag, entry.type, len(store), count))
        store += data
    total = len(index) + 1
    index.insert(0, (region, _BINARY, len(store), 16))
    store += struct.pack(">IIiI", region, _BINARY, -16 * total, 16)
    packed = b"".join(struct.pack(">IIII", *line) for line in index)
    return b"\x8e\xad\xe8\x01\0\0\0\0" + struct.pack(">II", total, len(store)) + packed + bytes(store)


def _stored(entry: Entry) -> tuple[bytes, int, int]:
    """The bytes of a value, how many there are of it, and their alignment."""
    value = entry.value
    if isinstance(value, bytes):
        return value, len(value), 1
    if isinstance(value, str):
        return value.encode() + b"\0", 1, 1
    if entry.type in (_INT16, _INT32):
        letter, alignment = ("H", 2) if entry.type == _INT16 else ("I", 4)
        return struct.pack(f">{len(value)}{letter}", *value), len(value), alignment
    return b"".join(str(one).encode() + b"\0" for one in value), len(value), 1


def _entries(
    fields: Mapping[str, str], identity: _Identity, files: Sequence[Content], payload: bytes
) -> list[Entry]:
    name, summary = fields["Package"], fields.get("Description", fields["Package"]).split("\n")[0]
    origin = fields.get("Source", name).split(" ")[0]
    entries = [
        Entry(100, _STRINGS, ["C"]),
        Entry(1000, _STRING, name),
        Entry(1001, _STRING, identity.version),
        Entry(1002, _STRING, identity.release),
        Entry(1004, _TRANSLATED, [summary]),
        Entry(1005, _TRANSLATED, [f"{summary}\n\nMade for benchmarks."]),
        Entry(1006, _INT32, [_WHEN]),
        Entry(1007, _STRING, "localhost"),
        Entry(1009, _INT32, [sum(len(file.data) for file in files)]),
        Entry(1014, _STRING, "MIT"),
        Entry(1015, _STRING, fields.get("Maintainer", "none")),
        Entry(1016, _TRANSLATED, [fields.get("Section", "Unspecified")]),
        Entry(1020, _STRING, fields.get("Homepage", "http://example.invalid/")),
        Entry(1021, _STRING, "linux"),
        Entry(1022, _STRING, identity.architecture),
        Entry(1044, _STRING, f"{origin}-{identity.version}-{identity.release}.src.rpm"),
        Entry(1124, _STRING, "cpio"),
        Entry(1125, _STRING, "gzip"),
        Entry(1126, _STRING, "9"),
        Entry(5092, _STRINGS, [hashlib.sha256(payload).hexdigest()]),
        Entry(5093, _INT32, [8]),
    ]
    if identity.epoch:
        entries.append(Entry(1003, _INT32, [identity.epoch]))
    return [*entries, *_file_entries(files), *_relation_entries(fields, identity)]


def _file_entries(files: Sequence[Content]) -> list[Entry]:
    count = len(files)
    directories = sorted({os.path.dirname(file.path) + "/" for file in files})
    return [
        Entry(1028, _INT32, [len(file.data) for file in files]),
        Entry(1030, _INT16, [file.mode for file in files]),
        Entry(1033, _INT16, [0] * count),
        Entry(1034, _INT32, [_WHEN] * count),
        Entry(1035, _STRINGS, [hashlib.sha256(file.data).hexdigest() for file in files]),
        Entry(1036, _STRINGS, [""] * count),
        Entry(1037, _INT32, [0] * count),
        Entry(1039, _STRINGS, ["root"] * count),
        Entry(1040, _STRINGS, ["root"] * count),
        Entry(1045, _INT32, [0xFFFFFFFF] * count),
        Entry(1095, _INT32, [1] * count),
        Entry(1096, _INT32, list(range(1, count + 1))),
        Entry(1097, _STRINGS, [""] * count),
        Entry(1116, _INT32, [directories.index(os.path.dirname(file.path) + "/") for file in files]),
        Entry(1117, _STRINGS, [os.path.basename(file.path) for file in files]),
        Entry(1118, _STRINGS, directories),
        Entry(5011, _INT32, [8]),
    ]


# Relations ------------------------------------------------------------------------------------------------


def _relation_entries(fields: Mapping[str, str], identity: _Identity) -> list[Entry]:
    name = fields["Package"]
    requires = _needs(", ".join(filter(None, (fields.get("Pre-Depends"), fields.get("Depends")))))
    if any(need.name.startswith("(") for need in requires):
        requires.append(Need("rpmlib(RichDependencies)", _RPMLIB | _LESS | _EQUAL, "4.12.0-1"))
    for feature, since in (("CompressedFileNames", "3.0.4-1"), ("PayloadFilesHavePrefix", "4.0-1")):
        requires.append(Need(f"rpmlib({feature})", _RPMLIB | _LESS | _EQUAL, since))
    provides = [Need(name, _EQUAL, identity.full)]
    if identity.architecture == "x86_64":
        provides.append(Need(f"{name}(x86-64)", _EQUAL, identity.full))
    provides += [need for need in _needs(fields.get("Provides", ""), rich=False) if need.name != name]
    conflicts = [need for need in _needs(fields.get("Conflicts", ""), rich=False) if need.name != name]
    recommends = _needs(fields.get("Recommends", ""))
    found = []
    for tags, needs in (
        (_REQUIRES, requires),
        (_PROVIDES, provides),
        (_CONFLICTS, conflicts),
        (_RECOMMENDS, recommends),
    ):
        if needs:
            found += [
                Entry(tags[0], _STRINGS, [need.name for need in needs]),
                Entry(tags[1], _INT32, [need.flags for need in needs]),
                Entry(tags[2], _STRINGS, [need.version for need in needs]),
            ]
    return found


def _needs(field: str, *, rich: bool = True) -> list[Need]:
    found = []
    for group in filter(str.strip, field.split(",")):
        alternatives = [relation(text) for text in group.split("|") if text.strip()]
        if len(alternatives) > 1 and rich:
            found.append(Need(f"({' or '.join(dict.fromkeys(_worded(one) for one in alternatives))})"))
        elif alternatives:
            operator, version = _constraint(alternatives[0])
            found.append(Need(alternatives[0].name, _FLAGS.get(operator, 0), version))
    return list(dict.fromkeys(found))


def _worded(one: Relation) -> str:
    operator, version = _constraint(one)
    return f"{one.name} {_WORDS[operator]} {version}" if operator else one.name


def _constraint(one: Relation) -> tuple[str, str]:
    """rpm compares no release where one side has none, so that 2.36-1 is not above 2.36: it is said."""
    if not one.operator:
        return "", ""
    epoch, version, release = _evr(one.version)
    text = (f"{epoch}:" if epoch else "") + version + (f"-{release}" if release else "")
    return (">=", f"{text}-0") if one.operator == ">>" and not release else (one.operator, text)
