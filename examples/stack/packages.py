# SPDX-License-Identifier: GPL-3.0-or-later
"""Small real packages, written without the tools of any distribution: .deb (deb(5)) and .rpm (the format of RPM 4)."""

import gzip
import hashlib
import io
import struct
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

BUILT = 1_780_000_000
ARCHITECTURES = {"deb": "amd64", "rpm": "noarch"}


@dataclass(frozen=True)
class Package:
    """`needs`: names, each perhaps with the least version. One file: /usr/share/NAME/README."""

    name: str
    version: str
    summary: str
    needs: Mapping[str, str]

    @property
    def file(self) -> tuple[str, str, bytes]:
        """Directory (with its slash), name and content."""
        return f"/usr/share/{self.name}/", "README", f"{self.name} {self.version}: {self.summary}\n".encode()


# deb ------------------------------------------------------------------------------------------------


def deb(package: Package) -> tuple[str, bytes]:
    """The name and the bytes of a .deb: an ar archive of two tar archives."""
    needs = [f"{name} (>= {version})" if version else name for name, version in package.needs.items()]
    fields = {
        "Package": package.name,
        "Version": package.version,
        "Architecture": ARCHITECTURES["deb"],
        "Maintainer": "The Reader Project <reader@example.org>",
        **({"Depends": ", ".join(needs)} if needs else {}),
        "Section": "misc",
        "Priority": "optional",
        "Description": package.summary,
    }
    control = "".join(f"{name}: {value}\n" for name, value in fields.items()).encode()
    directory, name, content = package.file
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": _tar({"./control": control}),
        "data.tar.gz": _tar({f".{directory}{name}": content}),
    }
    archive = b"!<arch>\n" + b"".join(_member(name, data) for name, data in members.items())
    return f"{package.name}_{package.version}_{ARCHITECTURES['deb']}.deb", archive


def _tar(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, data in files.items():
            parts = path.split("/")[:-1]
            for depth in range(len(parts)):
                entry = tarfile.TarInfo("/".join(parts[: depth + 1]) + "/")
                entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, BUILT
                archive.addfile(entry)
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode, entry.mtime = len(data), 0o644, BUILT
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(packed.getvalue(), mtime=0)


def _member(name: str, data: bytes) -> bytes:
    head = f"{name:<16}{BUILT:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n"
    return head.encode() + data + b"\n" * (len(data) % 2)


# rpm ------------------------------------------------------------------------------------------------

_INT16, _INT32, _STRING, _BINARY, _STRINGS, _TEXTS = 3, 4, 6, 7, 8, 9
_LESS, _GREATER, _EQUAL, _RPMLIB = 2, 4, 8, 1 << 24
_SHA256 = 8  # RPM's number for it

_Entry = tuple[int, int, str | bytes | Sequence[str] | Sequence[int]]
_Relation = tuple[str, int, str]


def rpm(package: Package) -> tuple[str, bytes]:
    """The name and the bytes of an .rpm: lead, signature header (digests only), header, gzipped cpio archive."""
    directory, name, content = package.file
    archive = _cpio({f".{directory}{name}": content})
    payload = gzip.compress(archive, mtime=0)
    head = _header(_describe(package, payload), region=63)
    signature = _header(
        [
            (269, _STRING, hashlib.sha1(head, usedforsecurity=False).hexdigest()),
            (273, _STRING, hashlib.sha256(head).hexdigest()),
            (1000, _INT32, [len(head) + len(payload)]),
            (1004, _BINARY, hashlib.md5(head + payload, usedforsecurity=False).digest()),
            (1007, _INT32, [len(archive)]),
        ],
        region=62,
    )
    full = f"{package.name}-{package.version}-1"
    lead = struct.pack(">4sBBhh66shh16s", b"\xed\xab\xee\xdb", 3, 0, 0, 1, full.encode()[:65], 1, 5, b"")
    data = lead + signature + bytes(-len(signature) % 8) + head + payload
    return f"{full}.{ARCHITECTURES['rpm']}.rpm", data


def _describe(package: Package, payload: bytes) -> list[_Entry]:
    """The header's tags; their names are in rpm's rpmtag.h."""
    directory, name, content = package.file
    needs = [(n, _GREATER | _EQUAL if v else 0, v) for n, v in package.needs.items()]
    needs += [
        ("rpmlib(CompressedFileNames)", _RPMLIB | _LESS | _EQUAL, "3.0.4-1"),
        ("rpmlib(PayloadFilesHavePrefix)", _RPMLIB | _LESS | _EQUAL, "4.0-1"),
    ]
    return [
        (100, _STRINGS, ["C"]),
        (1000, _STRING, package.name),
        (1001, _STRING, package.version),
        (1002, _STRING, "1"),
        (1004, _TEXTS, [package.summary]),
        (1005, _TEXTS, [package.summary]),
        (1006, _INT32, [BUILT]),
        (1007, _STRING, "localhost"),
        (1009, _INT32, [len(content)]),
        (1014, _STRING, "GPL-3.0-or-later"),
        (1016, _TEXTS, ["Unspecified"]),
        (1021, _STRING, "linux"),
        (1022, _STRING, ARCHITECTURES["rpm"]),
        (1028, _INT32, [len(content)]),
        (1030, _INT16, [0o100644]),
        (1033, _INT16, [0]),
        (1034, _INT32, [BUILT]),
        (1035, _STRINGS, [hashlib.sha256(content).hexdigest()]),
        (1036, _STRINGS, [""]),
        (1037, _INT32, [0]),
        (1039, _STRINGS, ["root"]),
        (1040, _STRINGS, ["root"]),
        (1044, _STRING, f"{package.name}-{package.version}-1.src.rpm"),
        (1045, _INT32, [0xFFFFFFFF]),
        *_relations(needs, names=1049, flags=1048, versions=1050),
        *_relations([(package.name, _EQUAL, f"{package.version}-1")], names=1047, flags=1112, versions=1113),
        (1095, _INT32, [1]),
        (1096, _INT32, [1]),
        (1097, _STRINGS, [""]),
        (1116, _INT32, [0]),
        (1117, _STRINGS, [name]),
        (1118, _STRINGS, [directory]),
        (1124, _STRING, "cpio"),
        (1125, _STRING, "gzip"),
        (1126, _STRING, "9"),
        (5011, _INT32, [_SHA256]),
        (5092, _STRINGS, [hashlib.sha256(payload).hexdigest()]),
        (5093, _INT32, [_SHA256]),
    ]


def _relations(relations: Iterable[_Relation], *, names: int, flags: int, versions: int) -> list[_Entry]:
    found = list(relations)
    return [
        (names, _STRINGS, [name for name, _, _ in found]),
        (flags, _INT32, [flag for _, flag, _ in found]),
        (versions, _STRINGS, [version for _, _, version in found]),
    ]


def _header(entries: Iterable[_Entry], region: int) -> bytes:
    """An index of the tags, their values, and at the end of both what makes them an immutable region."""
    index, store = b"", bytearray()
    rows = sorted(entries, key=lambda entry: entry[0])
    for tag, kind, value in rows:
        data, count = _value(kind, value)
        store += bytes(-len(store) % {_INT16: 2, _INT32: 4}.get(kind, 1))
        index += struct.pack(">IIII", tag, kind, len(store), count)
        store += data
    total = len(rows) + 1
    index = struct.pack(">IIII", region, _BINARY, len(store), 16) + index
    store += struct.pack(">IIiI", region, _BINARY, -16 * total, 16)
    return b"\x8e\xad\xe8\x01" + bytes(4) + struct.pack(">II", total, len(store)) + index + bytes(store)


def _value(kind: int, value: str | bytes | Sequence[str] | Sequence[int]) -> tuple[bytes, int]:
    """A tag's value as it is stored, and how many there are of it."""
    if isinstance(value, bytes):
        return value, len(value)
    if isinstance(value, str):
        return value.encode() + b"\0", 1
    if kind in (_INT16, _INT32):
        return struct.pack(f">{len(value)}{'H' if kind == _INT16 else 'I'}", *value), len(value)
    return b"".join(str(one).encode() + b"\0" for one in value), len(value)


def _cpio(files: Mapping[str, bytes]) -> bytes:
    """The "newc" format of cpio(5)."""
    packed = b""
    for number, (path, data) in enumerate({**files, "TRAILER!!!": b""}.items(), 1):
        mode = 0o100644 if data else 0
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path) + 1, 0)
        head = b"070701" + b"".join(b"%08x" % one for one in fields) + path.encode() + b"\0"
        packed += head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)
    return packed
