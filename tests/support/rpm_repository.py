# SPDX-License-Identifier: GPL-3.0-or-later
"""Real rpms and rpm-md repositories, made by rpmbuild and createrepo_c in well under a second.

Packages are built once for a test process; a repository is made of any of them, with the lists beside.
"""

import atexit
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from tests.support.openpgp import Key
from tests.support.requirements import require

_BUILT = 1_700_000_000
# rpmbuild takes more than twice the time for twice the packages.
_BATCH = 50


@dataclass(frozen=True)
class Rpm:
    """`evr` as `[epoch:]version-release`; relations as a spec file writes them. `files` are made with their own
    path as content; without any, /usr/share/NAME/data. `built` in seconds since the epoch."""

    name: str
    evr: str = "1-1"
    arch: Literal["noarch", "x86_64", "i686"] = "noarch"
    requires: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    obsoletes: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    recommends: tuple[str, ...] = ()
    supplements: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    group: str = "Unspecified"
    summary: str = "A package for tests"
    built: int = _BUILT

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.evr.rpartition(':')[2]}.{self.arch}.rpm"


def build(rpms: Sequence[Rpm]) -> dict[Rpm, Path]:
    """The files of these packages, each built once."""
    require(shutil.which("rpmbuild") is not None, "rpmbuild (apt: rpm)")
    place, built = _workshop()
    waiting: dict[tuple[str, int, int], list[Rpm]] = defaultdict(list)
    for rpm in dict.fromkeys(rpms):
        if rpm not in built:
            target = "i686" if rpm.arch == "i686" else "x86_64"
            names = sum(other.name == rpm.name for batch in waiting.values() for other in batch)
            waiting[target, rpm.built, names].append(rpm)
    for (target, when, _), batch in waiting.items():
        for start in range(0, len(batch), _BATCH):
            part = batch[start : start + _BATCH]
            built |= _build_batch(Path(tempfile.mkdtemp(dir=place)), target, when, part)
    return {rpm: built[rpm] for rpm in rpms}


@functools.cache
def _workshop() -> tuple[Path, dict[Rpm, Path]]:
    place = Path(tempfile.mkdtemp(prefix="rpms-"))
    atexit.register(shutil.rmtree, place, True)
    return place, {}


def _build_batch(place: Path, target: str, when: int, batch: Sequence[Rpm]) -> dict[Rpm, Path]:
    """One spec file with a sub-package for each: a hundred take half a second."""
    spec = place / "batch.spec"
    head = "Name: batch\nVersion: 1\nRelease: 1\nSummary: none\nLicense: MIT\n%description\nnone\n%prep\n"
    body = "%install\n" + "".join(
        f"mkdir -p %{{buildroot}}$(dirname '{path}'); echo '{path}' > %{{buildroot}}'{path}'\n"
        for path in sorted({path for rpm in batch for path in _files(rpm)})
    )
    spec.write_text(head + body + "".join(map(_section, batch)))
    definitions = {
        "_topdir": str(place),
        "_binary_payload": "w1.gzdio",
        "__os_install_post": "%{nil}",
        "debug_package": "%{nil}",
        "use_source_date_epoch_as_buildtime": "1",
        "_buildhost": "builder.test",
        "_rpmfilename": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
    }
    command = ["rpmbuild", "-bb", "--quiet", "--nodeps", "--target", target]
    for name, value in definitions.items():
        command += ["--define", f"{name} {value}"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(when), "LC_ALL": "C.UTF-8"}
    done = subprocess.run([*command, str(spec)], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return {rpm: place / "RPMS" / rpm.file_name for rpm in batch}


def _files(rpm: Rpm) -> Sequence[str]:
    return rpm.files or (f"/usr/share/{rpm.name}/data",)


def _section(rpm: Rpm) -> str:
    epoch, _, rest = rpm.evr.rpartition(":")
    version, release = rest.split("-")
    lines = [f"%package -n {rpm.name}", f"Version: {version}", f"Release: {release}"]
    lines += [f"Summary: {rpm.summary}", f"Group: {rpm.group}"]
    if epoch:
        lines.append(f"Epoch: {epoch}")
    if rpm.arch == "noarch":
        lines.append("BuildArch: noarch")
    for kind in ("requires", "provides", "obsoletes", "conflicts", "recommends", "supplements"):
        lines += [f"{kind.capitalize()}: {relation}" for relation in getattr(rpm, kind)]
    lines += [f"%description -n {rpm.name}", rpm.summary, f"%files -n {rpm.name}", *_files(rpm)]
    return "\n".join(["", *lines, ""])


@dataclass
class RpmRepository:
    """A repository directory; `write` makes its metadata anew.

    `lists` are records beside the packages' own (updateinfo, modules, productid, ...), `comps` is the group
    file. `compression` is the suffix of the packages' lists.
    """

    root: Path
    checksum: Literal["sha256", "sha512", "sha1", "md5"] = "sha256"
    compression: Literal["gz", "xz", "zst", "bz2"] = "gz"
    lists: dict[str, bytes] = field(default_factory=dict)
    comps: bytes = b""
    key: Key | None = None
    options: tuple[str, ...] = ()

    @property
    def repodata(self) -> Path:
        return self.root / "repodata"

    @property
    def repomd(self) -> Path:
        return self.repodata / "repomd.xml"

    def write(self, rpms: Sequence[Rpm], *, time: int = _BUILT, keep: bool = False) -> "RpmRepository":
        """With just these packages (`keep`: beside those that are there), dated `time`."""
        if not keep:
            shutil.rmtree(self.root, ignore_errors=True)
        for rpm, file in build(rpms).items():
            place = self.root / "Packages" / rpm.name[0] / rpm.file_name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.unlink(missing_ok=True)
            os.link(file, place)
        self.root.mkdir(parents=True, exist_ok=True)
        return self.index(time=time)

    def index(self, *, time: int = _BUILT) -> "RpmRepository":
        """Metadata for the .rpm files that are there."""
        shutil.rmtree(self.repodata, ignore_errors=True)
        command = [
            "--quiet",
            "--checksum",
            self.checksum,
            "--revision",
            str(time),
            "--set-timestamp-to-revision",
        ]
        kind = {"zst": "zstd"}.get(self.compression, self.compression)
        command += ["--general-compress-type", kind, "--no-database", *self.options]
        with tempfile.TemporaryDirectory(prefix="lists-") as place:
            if self.comps:
                group_file = Path(place, "comps.xml")
                group_file.write_bytes(self.comps)
                command += ["--groupfile", str(group_file)]
            _run(self._tool("createrepo_c"), *command, str(self.root))
            for name, data in self.lists.items():
                source = Path(place, f"{name}.yaml" if name == "modules" else f"{name}.xml")
                source.write_bytes(data)
                kinds = ("--compress-type", kind, "--checksum", self.checksum)
                _run(self._tool("modifyrepo_c"), *kinds, f"--mdtype={name}", str(source), str(self.repodata))
        # modifyrepo_c dates its records by the clock.
        text = re.sub(rb"(?<=<timestamp>)\d+", str(time).encode(), self.repomd.read_bytes())
        self.repomd.write_bytes(text)
        self.sign()
        return self

    def copy(self, root: Path) -> "RpmRepository":
        """The same at another place: quicker than to make it again."""
        shutil.copytree(self.root, root)
        return replace(self, root=root)

    def sign(self) -> None:
        if self.key is not None:
            Path(f"{self.repomd}.asc").write_bytes(self.key.detach_sign(self.repomd.read_bytes()))

    def replace(self, changes: Mapping[bytes, bytes]) -> None:
        """Change the text of repomd.xml, and sign it."""
        text = self.repomd.read_bytes()
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        self.repomd.write_bytes(text)
        self.sign()

    def _tool(self, name: str) -> str:
        """The wheel's, which knows zstd; for old digests the distribution's, which knows those."""
        if self.checksum in ("sha256", "sha512"):
            return str(Path(sys.executable).with_name(name))
        require(Path("/usr/bin", name).exists(), f"{name} of the distribution (apt: createrepo-c)")
        return f"/usr/bin/{name}"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
