# SPDX-License-Identifier: GPL-3.0-or-later
"""The tools that mirror one repository side by side: ours and its peers, each as its manual says.

A contender is prepared once for an empty directory (not timed), which gives the command to be timed; run
again there, the command updates what it made.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from make_deb_repository import ARCHITECTURE, COMPONENT, SUITE
from measuring import environment, orchestrator
from repositories import Repository


@dataclass(frozen=True, slots=True)
class Task:
    """Mirror `repository`, which is at `address` + its name, to `directory`. `roots`: only what these need."""

    repository: Repository
    address: str
    directory: Path
    home: Path
    roots: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return f"{self.address}/{self.repository.shape.name}"

    @property
    def host(self) -> str:
        return self.address.removeprefix("http://")


@dataclass(frozen=True, slots=True)
class Command:
    """What is timed. `between` is run after its first time, and is not."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    between: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Contender:
    """`program` must be there. `updates`: a second run is about what has changed, not all again."""

    name: str
    program: str
    prepare: Callable[[Task], Command]
    updates: bool = True

    @property
    def missing(self) -> str:
        """Why it cannot take part; empty when it can."""
        return "" if shutil.which(self.program) else f"{self.program} is not installed"


def ours(name: str = "orchestrator", **common: Any) -> Contender:
    """`orchestrator mirror clone`. `common`: keys of the mirrors file."""

    def prepare(task: Task) -> Command:
        return Command(clone(task, common), environment(task.home))

    return Contender(name, "python3", prepare)


def dry() -> Contender:
    """The same, only planned: the index is read, the closure worked out, and no package fetched. A plan keeps
    nothing, so a look into the source brings in the index that later plans find."""

    def prepare(task: Task) -> Command:
        argv = clone(task, {}, "--dry-run")
        look = orchestrator("mirror", "packages", "mirror", "--config", str(task.directory / "mirrors.yaml"))
        return Command(argv, environment(task.home), look)

    return Contender("orchestrator", "python3", prepare)


def clone(task: Task, common: Mapping[str, Any], *options: str) -> list[str]:
    """Write mirrors.yaml for the task; the command."""
    shape = task.repository.shape
    source: dict[str, Any] = {
        "name": "mirror",
        "type": shape.kind,
        "baseurl": task.url,
        "repositories": [f"{SUITE} {COMPONENT}" if shape.kind == "deb" else "."],
        "keys": [str(task.repository.key)],
    }
    if shape.kind == "deb":
        source["architectures"] = [ARCHITECTURE]
    if task.roots:
        source |= {"partial": True, "requirements": list(task.roots)}
    config = task.directory / "mirrors.yaml"
    document = {"common": {"destination": str(task.directory / "content"), **common}, "sources": [source]}
    config.write_text(json.dumps(document))  # JSON is YAML
    return orchestrator("mirror", "clone", "mirror", "--config", str(config), *options)


def curl(connections: int) -> Contender:
    """The same files, known beforehand, on so many connections: what the network and the disk allow."""

    def prepare(task: Task) -> Command:
        names = [*task.repository.metadata(), *(file.path for file in task.repository.packages())]
        lines = [f'url="{task.url}/{name}"\noutput="{task.directory}/out/{name}"\n' for name in names]
        (task.directory / "list").write_text("".join(lines))
        parallel = ["--parallel", "--parallel-max", str(connections), "--parallel-immediate"]
        return Command(["curl", "-s", *parallel, "--create-dirs", "-K", str(task.directory / "list")])

    return Contender(f"curl{connections}", "curl", prepare, updates=False)


def _apt_mirror(task: Task) -> Command:
    """wget keeps the port in its paths, apt-mirror does not expect it there: the server is its proxy."""
    base = task.directory
    for name in ("mirror", "skel", "var"):
        (base / name).mkdir()
    settings = {
        "use_proxy": "on",
        "http_proxy": task.host,
        "base_path": base,
        "mirror_path": base / "mirror",
        "skel_path": base / "skel",
        "var_path": base / "var",
        "defaultarch": ARCHITECTURE,
        "run_postmirror": 0,
        "nthreads": 20,
        "_tilde": 0,
    }
    lines = [f"set {key} {value}\n" for key, value in settings.items()]
    url = f"http://benchmark.invalid/{task.repository.shape.name}"
    lines.append(f"deb [arch={ARCHITECTURE}] {url} {SUITE} {COMPONENT}\n")
    (base / "mirror.list").write_text("".join(lines))
    return Command(["apt-mirror", str(base / "mirror.list")])


def _debmirror(task: Task) -> Command:
    where = ["--method=http", "-h", task.host, "-r", task.repository.shape.name]
    what = [
        "-d",
        SUITE,
        "-s",
        COMPONENT,
        "-a",
        ARCHITECTURE,
        "--nosource",
        "--diff=none",
        "--rsync-extra=none",
    ]
    how = [f"--keyring={task.repository.keyring}", "--postcleanup", str(task.directory / "out")]
    return Command(["debmirror", *where, *what, *how])


def aptly(connections: int) -> Contender:
    """With roots it filters by them, with their dependencies."""

    def prepare(task: Task) -> Command:
        config = task.directory / "aptly.conf"
        settings = {
            "rootDir": str(task.directory / "aptly"),
            "downloadConcurrency": connections,
            "gpgProvider": "gpg",
            "architectures": [ARCHITECTURE],
        }
        config.write_text(json.dumps(settings))
        base = ["aptly", f"-config={config}", "mirror"]
        keyring = f"-keyring={task.repository.keyring}"
        options = [keyring, f"-architectures={ARCHITECTURE}"]
        if task.roots:
            options += [f"-filter={' | '.join(task.roots)}", "-filter-with-deps"]
        subprocess.run(
            [*base, "create", *options, "m", task.url, SUITE, COMPONENT], check=True, capture_output=True
        )
        return Command([*base, "update", keyring, "m"])

    return Contender(f"aptly{connections}", "aptly", prepare)


def _reposync(task: Task) -> Command:
    base = task.directory
    (base / "repos").mkdir()
    settings = {
        "gpgcheck": 0,
        "plugins": 1,
        "cachedir": base / "cache",
        "logdir": base / "log",
        "persistdir": base / "persist",
        "reposdir": base / "repos",
    }
    (base / "dnf.conf").write_text(
        "[main]\n" + "".join(f"{key}={value}\n" for key, value in settings.items())
    )
    (base / "repos" / "m.repo").write_text(f"[m]\nname=m\nbaseurl={task.url}/\nenabled=1\ngpgcheck=0\n")
    options = ["--repoid", "m", "--norepopath", "--download-metadata", "-p", str(base / "out")]
    dnf = ["dnf", "-q", "-c", str(base / "dnf.conf"), "--refresh", "--forcearch=x86_64"]
    return Command([*dnf, "reposync", *options])


def apt_get(*action: str) -> Contender:
    """`apt-get update && apt-get ACTION ROOTS` in a root of its own, with nothing installed."""

    def prepare(task: Task) -> Command:
        base = task.directory
        for name in (
            "etc/apt",
            "var/lib/apt/lists/partial",
            "var/cache/apt/archives/partial",
            "var/lib/dpkg",
        ):
            (base / name).mkdir(parents=True)
        (base / "var/lib/dpkg/status").touch()
        options = f"[arch={ARCHITECTURE} signed-by={task.repository.keyring}]"
        (base / "etc/apt/sources.list").write_text(f"deb {options} {task.url} {SUITE} {COMPONENT}\n")
        (base / "apt.conf").write_text(
            f'Dir "{base}";\nDir::State::status "{base}/var/lib/dpkg/status";\n'
            f'APT::Architecture "{ARCHITECTURE}";\nAPT::Architectures {{ "{ARCHITECTURE}"; }};\n'
            'APT::Sandbox::User "root";\nAPT::Install-Recommends "false";\n'
        )
        script = base / "run"
        script.write_text(f'#!/bin/sh\napt-get -qq update && exec apt-get -qq {" ".join(action)} "$@"\n')
        script.chmod(0o755)
        return Command([str(script), *task.roots], {**os.environ, "APT_CONFIG": str(base / "apt.conf")})

    return Contender(f"apt-get {' '.join(action)}", "apt-get", prepare)


APT_MIRROR = Contender("apt-mirror", "apt-mirror", _apt_mirror)
DEBMIRROR = Contender("debmirror", "debmirror", _debmirror)
REPOSYNC = Contender("dnf reposync", "dnf", _reposync)
