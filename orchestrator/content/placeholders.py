# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in braces: `{ubuntu_version}` of the file's versions, `{architecture}` and `{repository}` of rpm sources.

Versions are filled in when the file is read. `{architecture}` in a repository gives one repository for each
architecture of the source. In the address of a mirrorlist or metalink `{architecture}` and `{repository}`
stay: every repository has a list of its own, which is asked for when it is needed (`list_address`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from orchestrator.config.explain import did_you_mean
from orchestrator.content.model import safe_path
from orchestrator.content.source import Source
from orchestrator.errors import Problem

ARCHITECTURE, REPOSITORY = "architecture", "repository"
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class Filling:
    """Fills in the texts of the source at `where`; what is wrong with them is in `problems`.

    `architectures` are those that `{architecture}` stands for: none for a deb source.
    """

    def __init__(self, where: str, architectures: Sequence[str], versions: Mapping[str, str]) -> None:
        self._where, self._architectures, self._versions = where, architectures, versions
        self.problems: list[Problem] = []

    def all(self, key: str, texts: Sequence[str]) -> tuple[str, ...]:
        """The texts with their versions filled in."""
        return tuple(self._fill(key, text) for text in texts)

    def listing(self, key: str, text: str, repositories: Sequence[str]) -> str:
        """The address of a mirrorlist or metalink, whose own names stay in it."""
        filled = self._fill(key, text, (ARCHITECTURE, REPOSITORY))
        if not filled:
            return ""
        if len(repositories) > 1 and _name(REPOSITORY) not in filled:
            self._problem(key, "is one list for several repositories", "write {repository} where they differ")
        if _name(ARCHITECTURE) in filled and not self._architectures:
            self._problem(key, "{architecture} stands for nothing", "name the architectures")
        if _name(ARCHITECTURE) in filled and len(self._architectures) > 1:
            for index, repository in enumerate(repositories):
                if _name(ARCHITECTURE) not in repository:
                    self._problem(
                        f"repositories[{index}]",
                        f"is one place for the lists of several architectures in {key}",
                        "write {architecture} in it, like os/{architecture}",
                    )
        return filled

    def repositories(self, kind: str, texts: Sequence[str]) -> tuple[str, ...]:
        """The repositories in normal form, each suite or path once; `{architecture}` of an rpm source expanded."""
        found: dict[str, str] = {}
        places: dict[str, int] = {}
        for index, text in enumerate(texts):
            key = f"repositories[{index}]"
            for filled in self._expanded(key, text, kind):
                try:
                    repository = _suite(filled) if kind == "deb" else _path(filled)
                except ValueError as error:
                    self._problem(key, str(error))
                    continue
                place = repository.split()[0]
                if place in found:
                    what = f"{place} stands twice (also in repositories[{places[place]}])"
                    self._problem(key, what, "name all its components in one entry" if kind == "deb" else "")
                found.setdefault(place, repository)
                places.setdefault(place, index)
        return tuple(found.values())

    def _expanded(self, key: str, text: str, kind: str) -> Iterator[str]:
        if kind == "deb" or _name(ARCHITECTURE) not in text:
            yield self._fill(key, text)
            return
        if not self._architectures:
            self._problem(key, "{architecture} stands for nothing", "name the architectures")
        template = self._fill(key, text, (ARCHITECTURE,))
        for architecture in self._architectures:
            yield template.replace(_name(ARCHITECTURE), architecture)

    def _fill(self, key: str, text: str, stays: Sequence[str] = ()) -> str:
        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in stays:
                return match[0]
            if name not in self._versions:
                self._unknown(key, name, stays)
            return self._versions.get(name, "x")

        if _PLACEHOLDER.sub("", text).count("{") or _PLACEHOLDER.sub("", text).count("}"):
            self._problem(key, "has a brace without its other half")
        return _PLACEHOLDER.sub(value, text)

    def _unknown(self, key: str, name: str, stays: Sequence[str]) -> None:
        known = [*self._versions, *stays]
        hint = did_you_mean(name, known)
        if not hint:
            hint = "known: " + ", ".join(known) if known else "there are none under versions"
        self._problem(key, f"unknown name {{{name}}}", hint)

    def _problem(self, key: str, what: str, hint: str = "") -> None:
        self.problems.append(Problem(f"{self._where}.{key}", what, hint))


def list_address(source: Source, repository: str) -> str:
    """Where the mirrorlist or metalink of one repository is.

    `{repository}` is the repository without the directory that is named as one of the architectures, and
    `{architecture}` is that, or the only one there is.
    """
    address = source.mirrorlist or source.metalink
    parts = repository.split("/")
    named = next((architecture for architecture in source.architectures if architecture in parts), "")
    if _name(ARCHITECTURE) in address and named:
        parts.remove(named)
    only = source.architectures[0] if source.architectures else ""
    return address.replace(_name(ARCHITECTURE), named or only).replace(_name(REPOSITORY), "/".join(parts))


def _name(name: str) -> str:
    return f"{{{name}}}"


def _suite(text: str) -> str:
    """`suite component...`, or `directory/` of a flat repository. Raises ValueError."""
    suite, *components = text.split()
    if suite.endswith("/"):
        if components:
            raise ValueError(f"the flat repository {suite} has no components")
        return suite if suite in ("./", "/") else safe_path(suite) + "/"
    if not components:
        raise ValueError(
            f"{suite} names no component: it takes SUITE COMPONENT..., or DIRECTORY/ for a flat one"
        )
    if len(set(components)) < len(components):
        raise ValueError("names a component twice")
    return " ".join([safe_path(suite), *(safe_path(component) for component in components)])


def _path(text: str) -> str:
    """The path of an rpm repository or a directory of files, `.` for the base address itself. Raises ValueError."""
    if " " in text:
        raise ValueError(f"{text!r} is not a path: repositories are directories")
    return "." if text in (".", "./") else safe_path(text)
