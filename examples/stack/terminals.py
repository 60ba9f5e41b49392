# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading terminals: clients of the mirrors, each a real apt-get or dnf with a root of its own."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from failure import Failed

WANTED = "bookshelf-reader"
_APT_DIRECTORIES = (
    "etc/apt/apt.conf.d",
    "etc/apt/preferences.d",
    "etc/apt/trusted.gpg.d",
    "var/lib/apt/lists/partial",
    "var/cache/apt/archives/partial",
    "var/lib/dpkg",
)


def client_of(name: str) -> tuple[str, Callable[[Path, str], list[str]] | str]:
    """The program that installs from the mirror `name`, and how it fetches; or why it cannot do that here."""
    if name.endswith("debian"):
        return "apt-get", fetch_by_apt if shutil.which("apt-get") else "apt-get is not installed"
    if not shutil.which("dnf"):
        return "dnf", "dnf is not installed"
    if os.geteuid() != 0:
        return "dnf", "dnf wants to be root"
    return "dnf", fetch_by_dnf


def fetch_by_apt(root: Path, sources: str) -> list[str]:
    """What apt-get, told of the mirror by `sources` alone, would install for the reader. Raises Failed."""
    for directory in (*_APT_DIRECTORIES, "etc/apt/sources.list.d"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    (root / "var/lib/dpkg/status").touch()
    (root / "etc/apt/sources.list.d/terminals.sources").write_text(sources)
    options = (
        f"Dir={root}",
        f"Dir::State::status={root}/var/lib/dpkg/status",
        "Dir::Etc::Parts=/nonexistent",
        "APT::Architecture=amd64",
        "APT::Architectures::=amd64",
        "APT::Sandbox::User=root",
        "Acquire::Languages=none",
        "Debug::NoLocking=1",
    )
    apt = ["apt-get", "-q", *(word for option in options for word in ("-o", option))]
    _run([*apt, "update"])
    chosen = _run([*apt, "--simulate", "install", WANTED])
    return [" ".join(found) for found in re.findall(r"^Inst (\S+) \((\S+) ", chosen, re.MULTILINE)]


def fetch_by_dnf(root: Path, repo: str) -> list[str]:
    """The same by dnf; `repo` is the text of a .repo file. It brings the packages in, and verifies them."""
    (root / "repos").mkdir(parents=True)
    (root / "repos/terminals.repo").write_text(repo)
    options = {"reposdir": root / "repos", "logdir": root / "log", "cachedir": root / "cache", "plugins": 0}
    (root / "dnf.conf").write_text(
        "[main]\n" + "".join(f"{name}={value}\n" for name, value in options.items())
    )
    dnf = ["dnf", "-y", "-q", "-c", str(root / "dnf.conf"), f"--installroot={root}/root", "--releasever=9"]
    _run([*dnf, "install", "--downloadonly", f"--downloaddir={root}/packages", WANTED])
    return sorted(path.name.removesuffix(".noarch.rpm") for path in (root / "packages").glob("*.rpm"))


def _run(argv: list[str]) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "APT_CONFIG"}
    done = subprocess.run(
        argv, env={**environment, "LC_ALL": "C.UTF-8"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failed(f"{' '.join(argv)}\n{done.stdout}{done.stderr}")
    return done.stdout
