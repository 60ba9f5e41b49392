# SPDX-License-Identifier: GPL-3.0-or-later
"""A real apt-get with a root of its own: it sees nothing of the machine's packages and sources."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.support.requirements import require

_DIRECTORIES = (
    "etc/apt/apt.conf.d",
    "etc/apt/preferences.d",
    "etc/apt/sources.list.d",
    "etc/apt/trusted.gpg.d",
    "var/lib/apt/lists/partial",
    "var/cache/apt/archives/partial",
    "var/lib/dpkg/info",
    "var/lib/dpkg/updates",
    "var/lib/dpkg/triggers",
    "var/lib/dpkg/alternatives",
    "var/log/apt",
)
_INSTALLED = re.compile(r"^Inst (\S+) \((\S+) ", re.MULTILINE)


class AptClient:
    """A client whose only source is `sources`: deb822 text, as it stands in a .sources file."""

    def __init__(self, root: Path, sources: str, *, languages: str = "none") -> None:
        require(shutil.which("apt-get") is not None, "apt-get, a real client")
        self.root, self.languages = root, languages
        for directory in _DIRECTORIES:
            (root / directory).mkdir(parents=True, exist_ok=True)
        for name in ("status", "available"):
            (root / "var/lib/dpkg" / name).touch()
        self.use(sources)

    def use(self, sources: str) -> None:
        (self.root / "etc/apt/sources.list.d/test.sources").write_text(sources)

    def get(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run apt-get, whatever becomes of it."""
        root = self.root
        options = (
            f"Dir={root}",
            f"Dir::State::status={root}/var/lib/dpkg/status",
            "Dir::Bin::dpkg=/usr/bin/dpkg",
            "Dir::Etc::Parts=/nonexistent",
            "APT::Architecture=amd64",
            "APT::Architectures::=amd64",
            f"Acquire::Languages={self.languages}",
            "Acquire::Retries=0",
            "Acquire::http::Proxy=DIRECT",
            "APT::Sandbox::User=root",
            f"DPkg::Options::=--root={root}",
            "DPkg::Options::=--force-not-root",
            "DPkg::Chroot-Directory=/",
            "Debug::NoLocking=1",
        )
        environment = {name: value for name, value in os.environ.items() if name != "APT_CONFIG"}
        return subprocess.run(
            ["apt-get", *(word for option in options for word in ("-o", option)), "-y", *words],
            cwd=root,
            env={**environment, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
            text=True,
            check=False,
        )

    def must(self, *words: str) -> str:
        """Run apt-get, which must do it without errors and warnings; what it writes."""
        done = self.get(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        wrong = [line for line in done.stderr.splitlines() if line.startswith(("W:", "E:"))]
        assert not wrong, done.stdout + done.stderr
        return done.stdout

    def update(self) -> str:
        return self.must("update", "--error-on=any")

    def would_install(self, *names: str) -> set[tuple[str, str]]:
        """Names and versions of what an installation would bring."""
        return set(_INSTALLED.findall(self.must("-s", "install", *names)))

    def download(self, *names: str) -> set[str]:
        """The names of the package files that an installation brings in; apt checks their digests."""
        self.must("--download-only", "install", *names)
        return {path.name for path in (self.root / "var/cache/apt/archives").glob("*.deb")}

    def install(self, *names: str) -> set[str]:
        """Really install, with dpkg, into the root; the names of all packages that are installed then."""
        require(os.geteuid() == 0, "root, to install packages into a directory")
        self.must("install", *names)
        status = (self.root / "var/lib/dpkg/status").read_text()
        return set(re.findall(r"^Package: (\S+)\nStatus: install ok installed$", status, re.MULTILINE))
