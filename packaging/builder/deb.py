# SPDX-License-Identifier: GPL-3.0-or-later
"""The .deb: control files for a tree that is made already, and dpkg-deb."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from builder.layout import CONFFILES
from builder.release import DESCRIPTION, SUMMARY, Release
from builder.vendor import run

MAINTAINER = "The orchestrator project <maintainers@orchestrator.invalid>"


def control(release: Release, architecture: str, installed_kib: int) -> str:
    text = "\n".join(f" {line}" if line else " ." for line in DESCRIPTION.splitlines())
    fields = {
        "Package": "orchestrator",
        "Version": release.version,
        "Architecture": architecture,
        "Maintainer": MAINTAINER,
        "Installed-Size": str(installed_kib),
        "Depends": f"python{release.python}, libc6 (>= {release.glibc})",
        "Recommends": "logrotate",
        "Suggests": "bash-completion",
        "Section": "admin",
        "Priority": "optional",
        "Description": f"{SUMMARY}\n{text}",
    }
    return "".join(f"{key}: {value}\n" for key, value in fields.items())


def build(tree: Path, sources: Path, release: Release, out: Path) -> Path:
    """Package `tree`, which is not changed, with the maintainer scripts of `sources`."""
    architecture = run(["dpkg", "--print-architecture"]).strip()
    files = sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    size = sum(-(-path.stat().st_size // 1024) for path in files)
    names = {path: str(path.relative_to(tree)) for path in files}
    sums = [
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {name}\n"
        for path, name in names.items()
        if name not in CONFFILES
    ]
    with tempfile.TemporaryDirectory(prefix="deb-", dir=tree.parent) as scratch:
        root = Path(scratch) / "root"
        shutil.copytree(tree, root, symlinks=True, copy_function=os.link)
        about = root / "DEBIAN"
        about.mkdir()
        about.chmod(0o755)
        _write(about / "control", control(release, architecture, size))
        _write(about / "conffiles", "".join(f"/{name}\n" for name in CONFFILES))
        _write(about / "md5sums", "".join(sums))
        _write(about / "triggers", (sources / "triggers").read_text())
        for script in ("postinst", "prerm", "postrm"):
            _write(about / script, (sources / script).read_text(), 0o755)
        package = out / f"orchestrator_{release.version}_{architecture}.deb"
        words = [
            "dpkg-deb",
            "--root-owner-group",
            "-Zzstd",
            f"-z{release.level}",
            "--build",
            str(root),
            str(package),
        ]
        run(words, {"SOURCE_DATE_EPOCH": str(release.epoch)})
    return package


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.write_text(text)
    path.chmod(mode)
