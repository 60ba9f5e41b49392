# SPDX-License-Identifier: GPL-3.0-or-later
"""Small real deb repositories: packages that dpkg installs, indexes, signatures; as an archive would have them.

    upstream = DebRepository(tmp_path, key=key())
    upstream.publish(Deb("web", depends="db (>= 2)"), Deb("db", "2.1"))

Written without dpkg-deb and apt-ftparchive, which take longer than all the rest of a test.
"""

import bz2
import gzip
import hashlib
import io
import lzma
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.content.source import Source
from tests.support.openpgp import Key

Compressor = Callable[[bytes], bytes]
_DATE = 1_750_000_000.0
_HASHES = {"MD5Sum": "md5", "SHA1": "sha1", "SHA256": "sha256", "SHA512": "sha512"}


def _zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.compress(data)


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, 1, mtime=0)


COMPRESSORS: Mapping[str, Compressor] = {
    "": bytes,
    "gz": _gzip,
    "xz": lambda data: lzma.compress(data, preset=0),
    "bz2": bz2.compress,
    "zst": _zstd,
}


@dataclass(frozen=True)
class Deb:
    """A binary package with one file, /usr/share/doc/NAME/filler. `fields` are added to its control file,
    `stanza` to its entry in the index. With `udeb` it is the installer's."""

    name: str
    version: str = "1.0"
    architecture: str = "amd64"
    depends: str = ""
    provides: str = ""
    source: str = ""
    component: str = "main"
    description: str = "A package\n Of which there is\n .\n nothing to say."
    filler: bytes = b"filler"
    udeb: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)
    stanza: Mapping[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return self.source.partition(" ")[0] or self.name

    @property
    def file_name(self) -> str:
        version = self.version.rpartition(":")[2]
        return f"{self.name}_{version}_{self.architecture}.{'udeb' if self.udeb else 'deb'}"

    @property
    def path(self) -> str:
        return f"pool/{self.component}/{self.origin[0]}/{self.origin}/{self.file_name}"

    def control(self) -> dict[str, str]:
        told = {
            "Package": self.name,
            "Source": self.source,
            "Version": self.version,
            "Architecture": self.architecture,
            "Maintainer": "Nobody <nobody@example.org>",
            "Depends": self.depends,
            "Provides": self.provides,
            "Section": "debian-installer" if self.udeb else "misc",
            "Priority": "optional",
        }
        return {name: value for name, value in told.items() if value} | dict(self.fields)

    def bytes(self, compression: str = "gz") -> bytes:
        """The package file."""
        control = self.control() | {"Description": self.description}
        members = {
            "debian-binary": b"2.0\n",
            f"control.tar.{compression}".rstrip("."): COMPRESSORS[compression](
                _tar({"control": stanza_of(control)})
            ),
            f"data.tar.{compression}".rstrip("."): COMPRESSORS[compression](
                _tar({f"usr/share/doc/{self.name}/filler": self.filler})
            ),
        }
        return b"!<arch>\n" + b"".join(_member(name, data) for name, data in members.items())


def _tar(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
        made = {"."}
        for path, data in files.items():
            parents = [f"./{parent}" for parent in reversed(Path(path).parents)]
            for directory in [one for one in ("./", *parents) if one.rstrip("/") not in made]:
                made.add(directory.rstrip("/"))
                entry = tarfile.TarInfo(directory)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
            entry = tarfile.TarInfo(f"./{path}")
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def _member(name: str, data: bytes) -> bytes:
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n"
    return header.encode() + data + b"\n" * (len(data) % 2)


def stanza_of(fields: Mapping[str, str]) -> bytes:
    return "".join(f"{name}: {value}\n" for name, value in fields.items()).encode()


@dataclass
class DebRepository:
    """`repository` is what a source calls it: suite and components, or a directory with its slash.
    `compressions` ("" is the plain form) are what is there; Release lists the plain form in any case, as
    archives do. `date` is that of Release, `valid_for` seconds from then."""

    root: Path
    repository: str = "stable main"
    architectures: tuple[str, ...] = ("amd64",)
    key: Key | None = None
    by_hash: bool = True
    compressions: tuple[str, ...] = ("xz", "gz")
    digests: tuple[str, ...] = ("MD5Sum", "SHA256")
    date: float = _DATE
    valid_for: float | None = None
    inrelease: bool = True
    detached: bool = True
    sources: bool = False
    translations: tuple[str, ...] = ()
    contents: bool = False
    serves_all: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def flat(self) -> bool:
        return self.repository.endswith("/")

    @property
    def suite(self) -> str:
        return self.repository.split()[0]

    @property
    def components(self) -> list[str]:
        return self.repository.split()[1:]

    @property
    def directory(self) -> str:
        """Of the Release file, with its slash."""
        return self.suite.removeprefix("./").lstrip("/") if self.flat else f"dists/{self.suite}/"

    def path(self, name: str) -> Path:
        return self.root / self.directory / name

    def place(self, deb: Deb) -> str:
        return self.directory + deb.file_name if self.flat else deb.path

    def source(self, **options: object) -> Source:
        """The source of mirrors.yaml that mirrors it."""
        chosen: dict[str, object] = {
            "name": "upstream",
            "type": "deb",
            "baseurls": ("http://upstream.test/",),
            "repositories": (self.repository,),
            "architectures": () if self.flat else self.architectures,
            "keys": (self.key.public_file,) if self.key else (),
            "unsigned": self.key is None,
            "translations": self.translations,
        }
        return Source(**(chosen | options))  # type: ignore[arg-type]

    def publish(self, *debs: Deb, extra: Mapping[str, bytes] | None = None) -> None:
        """The repository with just these packages; `extra` are further indexes, by the name Release lists."""
        indexes: dict[str, bytes] = {}
        for deb in debs:
            self._write(self.root / self.place(deb), deb.bytes())
        if self.flat:
            indexes["Packages"] = self._packages(debs)
        for component in self.components:
            own = [deb for deb in debs if deb.component == component]
            indexes |= self._component(component, own)
        self.release(indexes | dict(extra or {}))

    def _component(self, component: str, debs: Sequence[Deb]) -> dict[str, bytes]:
        real = [deb for deb in debs if not deb.udeb]
        found: dict[str, bytes] = {}
        for architecture in (*self.architectures, *(["all"] if self.serves_all else [])):
            fit = (architecture,) if self.serves_all else (architecture, "all")
            own = [deb for deb in real if deb.architecture in fit]
            found[f"{component}/binary-{architecture}/Packages"] = self._packages(own)
            udebs = [deb for deb in debs if deb.udeb and deb.architecture in fit]
            if udebs:
                found[f"{component}/debian-installer/binary-{architecture}/Packages"] = self._packages(udebs)
            if self.contents:
                rows = [f"usr/share/doc/{deb.name}/filler misc/{deb.name}\n" for deb in own]
                found[f"{component}/Contents-{architecture}"] = "".join(rows).encode()
        if self.sources:
            found[f"{component}/source/Sources"] = self._sources(component, real)
        for language in self.translations:
            found[f"{component}/i18n/Translation-{language}"] = b"".join(
                stanza_of(
                    {
                        "Package": deb.name,
                        "Description-md5": _md5(deb.description),
                        f"Description-{language}": deb.description,
                    }
                )
                + b"\n"
                for deb in real
            )
        return found

    def _packages(self, debs: Sequence[Deb]) -> bytes:
        stanzas = []
        for deb in debs:
            data = (self.root / self.place(deb)).read_bytes()
            described = {"Description": deb.description}
            if self.translations:
                described = {
                    "Description": deb.description.partition("\n")[0],
                    "Description-md5": _md5(deb.description),
                }
            told = {
                "Filename": self.place(deb),
                "Size": str(len(data)),
                "SHA256": hashlib.sha256(data).hexdigest(),
            }
            stanzas.append(stanza_of(deb.control() | described | told | dict(deb.stanza)) + b"\n")
        return b"".join(stanzas)

    def _sources(self, component: str, debs: Sequence[Deb]) -> bytes:
        stanzas = {}
        for deb in debs:
            version = deb.source.partition("(")[2].rstrip(")") or deb.version
            name = f"{deb.origin}_{version.rpartition(':')[2]}"
            directory = f"pool/{component}/{deb.origin[0]}/{deb.origin}"
            tarball = _gzip(f"sources of {name}".encode())
            dsc = f"Format: 1.0\nSource: {deb.origin}\nVersion: {version}\n".encode()
            rows = []
            for file, data in ((f"{name}.dsc", dsc), (f"{name}.tar.gz", tarball)):
                self._write(self.root / directory / file, data)
                rows.append(f"\n {hashlib.sha256(data).hexdigest()} {len(data)} {file}")
            told = {
                "Package": deb.origin,
                "Binary": deb.name,
                "Version": version,
                "Directory": directory,
                "Checksums-Sha256": "".join(rows),
            }
            stanzas[name] = stanza_of(told) + b"\n"
        return b"".join(stanzas.values())

    def release(self, indexes: Mapping[str, bytes]) -> None:
        """Write the indexes, and the Release file of them."""
        self.files.clear()
        for path in self.path("").glob("**/*") if not self.flat else ():
            if path.is_file():
                path.unlink()
        for name, data in indexes.items():
            self.files[name] = data
            for compression in self.compressions:
                form = f"{name}.{compression}".rstrip(".")
                self.files[form] = COMPRESSORS[compression](data)
                self.add(form)
        self.sign()

    def add(self, name: str) -> None:
        """Put a listed file where it belongs, under its names."""
        path, data = self.path(name), self.files[name]
        self._write(path, data)
        for spelling in self.digests if self.by_hash else ():
            value = hashlib.new(_HASHES[spelling], data).hexdigest()
            self._write(path.parent / "by-hash" / spelling / value, data)

    def sign(self) -> None:
        """Write Release, and its signatures, for what `files` lists."""
        text = self._release()
        for name in ("InRelease", "Release", "Release.gpg"):
            self.path(name).unlink(missing_ok=True)
        if self.detached or not self.key:
            self._write(self.path("Release"), text)
        if self.key and self.detached:
            self._write(self.path("Release.gpg"), self.key.detach_sign(text))
        if self.key and self.inrelease:
            self._write(self.path("InRelease"), self.key.clear_sign(text))

    def _release(self) -> bytes:
        told = {"Origin": "Test", "Label": "Test", "Date": _shown(self.date)}
        if not self.flat:
            told |= {"Suite": self.suite, "Codename": self.suite, "Components": " ".join(self.components)}
            told["Architectures"] = " ".join((*self.architectures, *(["all"] if self.serves_all else [])))
        if self.valid_for is not None:
            told["Valid-Until"] = _shown(self.date + self.valid_for)
        if self.by_hash:
            told["Acquire-By-Hash"] = "yes"
        for spelling in self.digests:
            told[spelling] = "".join(
                f"\n {hashlib.new(_HASHES[spelling], data).hexdigest()} {len(data):>10} {name}"
                for name, data in self.files.items()
            )
        return stanza_of(told | dict(self.fields))

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _shown(seconds: float) -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S UTC", time.gmtime(seconds))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode() + b"\n").hexdigest()
