# SPDX-License-Identifier: GPL-3.0-or-later
"""A real dnf with a root of its own: the machine's packages and configuration play no part."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.requirements import require

_PLATFORM = "platform:el8"


@dataclass(frozen=True)
class DnfClient:
    """`place` is an empty directory; `repositories` the text of a .repo file."""

    place: Path
    repositories: str

    def __post_init__(self) -> None:
        require(shutil.which("dnf") is not None, "dnf")
        for name in ("repos", "root", "root/log", "log"):
            (self.place / name).mkdir(parents=True, exist_ok=True)
        (self.place / "repos" / "test.repo").write_text(self.repositories)
        (self.place / "dnf.conf").write_text("[main]\ninstall_weak_deps=False\n")

    def run(self, *arguments: str, arch: str = "x86_64") -> "subprocess.CompletedProcess[str]":
        """Whatever dnf says of it."""
        settings = {
            "reposdir": self.place / "repos",
            "cachedir": self.place / "cache",
            "persistdir": self.place / "state",
            "logdir": self.place / "log",
            "skip_if_unavailable": "0",
            "module_platform_id": _PLATFORM,
            "plugins": "1",
        }
        command = ["dnf", "-y", f"--config={self.place / 'dnf.conf'}", f"--installroot={self.place / 'root'}"]
        # The plugin would offer what other clients on this machine have downloaded.
        command += ["--releasever=1", f"--forcearch={arch}", "--disableplugin=local"]
        command += [f"--setopt={name}={value}" for name, value in settings.items()]
        try:
            return subprocess.run(
                [*command, *arguments],
                capture_output=True,
                text=True,
                check=False,
                env=self._environment,
            )
        finally:
            self._end_agents()

    def _end_agents(self) -> None:
        """dnf leaves a gpg-agent for every repository whose signature it checks: each takes two of the machine's
        128 inotify instances, and without one no systemd host comes up."""
        pattern = f"gpg-agent --homedir {re.escape(str(self.place))}/"
        subprocess.run(("pkill", "-f", pattern), capture_output=True, check=False)

    @property
    def _environment(self) -> dict[str, str]:
        # Debian's rpm keeps its database below HOME.
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"}

    def __call__(self, *arguments: str) -> str:
        """What it prints; it must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def names(self, *arguments: str) -> set[str]:
        """`repoquery` with NAME-EVR.ARCH lines."""
        return set(self("-q", "repoquery", "--qf", "%{name}-%{evr}.%{arch}", *arguments).split())

    def installed(self) -> set[str]:
        """The packages in its root, by rpm itself."""
        done = subprocess.run(
            ["rpm", "--root", str(self.place / "root"), "-qa", "--qf", "%{NAME}-%{EVR}.%{ARCH}\n"],
            capture_output=True,
            text=True,
            check=True,
            env=self._environment,
        )
        return {line for line in done.stdout.split() if not line.startswith("gpg-pubkey")}
