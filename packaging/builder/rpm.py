# SPDX-License-Identifier: GPL-3.0-or-later
"""The .rpm: a spec file for a tree that is made already, and rpmbuild. Any host's rpmbuild: no macro of a
distribution is used."""

import platform
import re
import shutil
import tempfile
from pathlib import Path

from builder.layout import CONFFILES, DOC
from builder.release import DESCRIPTION, SUMMARY, Release
from builder.vendor import run

# Directories of the distribution: not the package's to own, or to remove.
_SHARED = re.compile(
    r"""
    etc(/logrotate\.d)? | usr | usr/(bin|lib|share) | usr/lib/(motd\.d|systemd(/system(-preset)?)?) |
    usr/share/(bash-completion(/completions)?|doc|fish(/vendor_completions\.d)?|man(/man\d)?|zsh(/site-functions)?)
    """,
    re.VERBOSE,
)
# What the program writes; made by the package, left when it is removed.
_STATE = ("var/lib/orchestrator", "var/log/orchestrator")


def file_list(files: list[str], directories: list[str]) -> str:
    """The %files section: every file and every directory that is the package's own. Paths are the tree's."""
    lines = ["%defattr(-,root,root,-)"]
    lines += [f'%dir "/{path}"' for path in directories if not _SHARED.fullmatch(path)]
    for path in files:
        kind = "%config(noreplace) " if path in CONFFILES else "%doc " if path.startswith(f"{DOC}/") else ""
        lines.append(f'{kind}"/{path}"')
    return "\n".join(lines) + "\n"


def spec(template: str, release: Release, tree: Path, files: Path) -> str:
    values = {
        "VERSION": release.version,
        "SUMMARY": SUMMARY,
        "DESCRIPTION": DESCRIPTION,
        "PYTHON": release.python,
        "GLIBC": release.glibc,
        "PAYLOAD": f"w{release.level}.zstdio",
        "TREE": str(tree),
        "FILES": str(files),
    }
    for name, value in values.items():
        template = template.replace(f"@{name}@", value)
    return template


def build(tree: Path, template: Path, release: Release, out: Path) -> Path:
    """Package `tree`, which is not changed."""
    names = {str(path.relative_to(tree)): path for path in tree.rglob("*")}
    files = sorted(name for name, path in names.items() if path.is_symlink() or not path.is_dir())
    directories = sorted((names.keys() - set(files)) | set(_STATE))
    with tempfile.TemporaryDirectory(prefix="rpm-", dir=tree.parent) as scratch:
        top = Path(scratch)
        listed, described = top / "files", top / "orchestrator.spec"
        listed.write_text(file_list(files, directories))
        described.write_text(spec(template.read_text(), release, tree, listed))
        architecture = platform.machine()
        run(
            [
                *("rpmbuild", "-bb", "--quiet", "--nodeps", "--target", architecture),
                *("--define", f"_topdir {top}", "--define", f"_rpmdir {top}"),
                *("--define", "_build_name_fmt built.rpm", str(described)),
            ],
            {"SOURCE_DATE_EPOCH": str(release.epoch)},
        )
        package = out / f"orchestrator-{release.version}-1.{architecture}.rpm"
        shutil.move(top / "built.rpm", package)
    return package
