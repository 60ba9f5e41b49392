# SPDX-License-Identifier: GPL-3.0-or-later
"""The secrets that this host is known to have: in configurations, in the files they name, in environments of units."""

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.host import processes
from orchestrator.upgrade.bundle.secret_documents import Found, secrets_of
from orchestrator.upgrade.bundle.sources import Unavailable, open_regular

_LARGEST_FILE = 256 * 1024
_ARMOUR = re.compile(r"-----|[\w-]+: |[#;]")
_NETRC = re.compile(r"\b(?:password|account)\s+(\S+)")
_CREDENTIAL = re.compile(r"\s*(?:Set|(?P<load>Load))Credential(?:Encrypted)?=[^:]*:\s*(?P<value>.+)")
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)=(.*)")


def of_document(document: Any, base: Path) -> Iterator[str]:
    """Of a configuration whose relative paths are below `base`, with what is in the files it names."""
    for found in secrets_of(document):
        yield from _of_found(found, base)


def of_environment(environment: Mapping[str, str]) -> Iterator[str]:
    yield from of_document(dict(environment), Path("/"))


def of_home(home: Path) -> Iterator[str]:
    """What this user gives to other servers without being asked."""
    for name in (".pgpass", ".netrc"):
        yield from of_file(home / name)


def of_unit(unit: str) -> Iterator[str]:
    """Of a systemd unit: its environment, its environment files, the credentials it is handed."""
    asked = ["systemctl", "show", "--property=Environment,EnvironmentFiles", "--", unit]
    for line in processes.run(asked, timeout=10).stdout.splitlines():
        name, _, value = line.partition("=")
        if name == "Environment":
            yield from of_environment(_assignments(_words(value)))
        elif name == "EnvironmentFiles":
            yield from of_environment_file(Path(value.rpartition(" (")[0] or value))
    # `show` does not tell these.
    for line in processes.run(["systemctl", "cat", "--", unit], timeout=10).stdout.splitlines():
        if found := _CREDENTIAL.match(line):
            if found["load"]:
                yield from of_file(Path("/", found["value"]))
            else:
                yield found["value"]


def of_environment_file(path: Path) -> Iterator[str]:
    lines = (_read(path) or "").replace("\\\n", "").splitlines()
    pairs = {found[1]: found[2] for line in lines if (found := _ASSIGNMENT.fullmatch(line))}
    for name, value in pairs.items():
        yield from of_environment({name: value.strip()})
        yield from of_environment({name: " ".join(_words(value))})


def of_file(path: Path) -> Iterator[str]:
    """Of a file that holds nothing but secrets: the whole of a short one, each line, the last field of a pgpass line."""
    text = _read(path)
    if text is None:
        return
    if path.name.endswith("netrc") or _NETRC.search(text):
        yield from _NETRC.findall(text)
        return
    if "-----BEGIN" not in text:
        yield text.strip("\r\n")
    for line in text.splitlines():
        if line and not _ARMOUR.match(line):
            yield line
            if line.count(":") >= 4:
                yield line.split(":", 4)[4].replace("\\:", ":").replace("\\\\", "\\")


def _of_found(found: Found, base: Path) -> Iterator[str]:
    if found.is_path:
        yield from of_file(base / os.path.expanduser(found.text))
    else:
        yield found.text


def _assignments(words: Iterable[str]) -> dict[str, str]:
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _read(path: Path) -> str | None:
    """None when it is no file, not ours to read, or too large to be one of secrets."""
    try:
        with open_regular(path) as stream:
            data = stream.read(_LARGEST_FILE + 1)
    except (OSError, ValueError, Unavailable):
        return None
    return None if len(data) > _LARGEST_FILE else data.decode("utf-8", "surrogateescape")
