# SPDX-License-Identifier: GPL-3.0-or-later
"""libsolv over the packages of several offers, with packages for ids: nothing of libsolv leaves this module but
numbers and text, for its objects crash the process once their pool is gone.

Members stand in the order of their priority. primary names only the files that are required most; filelists are
read when a relation names a file that no primary has.
"""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from orchestrator.content.formats import Member
from orchestrator.content.formats.rpm.lists import COMMON, RPM
from orchestrator.content.formats.rpm.offer import RpmOffer
from orchestrator.content.formats.rpm.primary import SOURCE_ARCHITECTURES
from orchestrator.content.formats.rpm.reading import Reading
from orchestrator.content.formats.rpm.versions import Relation, parse_relation
from orchestrator.content.model import Package
from orchestrator.errors import BadContent

_HEAD = f'<metadata xmlns="{COMMON}" xmlns:rpm="{RPM}" packages="%d">\n'
_FLAGS = {
    "EQ": ("REL_EQ",),
    "LT": ("REL_LT",),
    "GT": ("REL_GT",),
    "LE": ("REL_LT", "REL_EQ"),
    "GE": ("REL_GT", "REL_EQ"),
}
# Names of relations with paths in them: /usr/bin/perl, (a or /usr/bin/b).
_NAMING_FILES = re.compile(rb"""name=["'](/[^"'<]*|\([^"'<]*/[^"'<]*)["']""")
_PATH = re.compile(rb"(?:^|(?<=[ (]))/[^ )]+")


class Solver:
    """All packages of the members (of `only`, where it is given) that a machine of `architecture` can have.
    `files` are paths that will be asked for."""

    def __init__(
        self,
        members: Sequence[Member],
        architecture: str,
        *,
        files: Iterable[str] = (),
        only: Collection[Package] | None = None,
    ) -> None:
        import solv

        self._solv = solv
        self._pool = solv.Pool()
        self._pool.setarch(architecture)
        self.packages: list[Package | None] = [None, None]  # by id; libsolv begins with 2
        self.starts: list[int] = []  # the first id of each member
        self._files = set(files)
        self._repositories: list[tuple[Any, Reading]] = []
        for place, member in enumerate(members):
            self.starts.append(len(self.packages))
            for reading in _offer(member).readings:
                self._add(member, reading, -place, only)
        self._add_filelists()
        self._requests = self._pool.add_repo("requests")
        self._providers: dict[int, tuple[int, ...]] = {}
        self._texts: dict[int, str] = {}
        self._ready = False

    def _add(self, member: Member, reading: Reading, priority: int, only: Collection[Package] | None) -> None:
        offer = _offer(member)
        packages = [
            package
            for package in offer.of(reading)
            if package not in member.refused and (only is None or package in only)
        ]
        if not packages:
            return
        repository = self._pool.add_repo(f"{offer.source.name}/{reading.repository}")
        repository.priority = priority
        whole = len(packages) == len(offer.of(reading)) and offer.is_all_of(reading)
        record = reading.record("primary")
        assert record is not None
        text = reading.pieces(record) if whole else _primary_of(offer, reading, packages)
        self._load(repository, self._noting_files(text), reading.name(record), None, 0)
        if repository.nsolvables != len(packages):
            raise BadContent(f"{reading.name(record)}: libsolv reads {repository.nsolvables} packages in it")
        self.packages += packages
        self._repositories.append((repository, reading))

    def _noting_files(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """`pieces`, and the paths in their relations in `_files`."""
        rest = b""
        for piece in pieces:
            text = rest + piece
            for name in _NAMING_FILES.findall(text):
                self._files.update(path.decode(errors="replace") for path in _PATH.findall(name))
            rest = text[text.rfind(b"<") :]
            yield piece

    def _add_filelists(self) -> None:
        """When they are needed."""
        self._pool.addfileprovides()
        self._pool.createwhatprovides()
        if all(self._pool.whatprovides(self._pool.Dep(path)) for path in self._files):
            return
        for repository, reading in self._repositories:
            record = reading.record("filelists")
            if record is not None:
                flags = repository.REPO_EXTEND_SOLVABLES
                self._load(repository, reading.pieces(record), reading.name(record), "FL", flags)

    def _load(
        self, repository: Any, pieces: Iterable[bytes], name: str, language: str | None, flags: int
    ) -> None:
        descriptor = os.memfd_create("rpm-md")
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as stream:
                stream.writelines(pieces)
            os.lseek(descriptor, 0, os.SEEK_SET)
            file = self._solv.xfopen_fd(None, descriptor)
            if not repository.add_rpmmd(file, language, flags):
                raise BadContent(f"{name} cannot be read: {self._pool.errstr}")
            file.close()
        finally:
            os.close(descriptor)

    def request(self, relation: str) -> int:
        """The number of a stand-in that requires a boolean relation (0 where libsolv cannot read it). Before
        anything is asked."""
        assert not self._ready
        dependency = self._pool.parserpmrichdep(relation)
        if not dependency:
            return 0
        stand_in = self._requests.add_solvable()
        stand_in.name, stand_in.evr, stand_in.arch = "request", str(len(self.packages)), "noarch"
        stand_in.add_deparray(self._solv.SOLVABLE_REQUIRES, dependency)
        stand_in.add_deparray(
            self._solv.SOLVABLE_PROVIDES, self._dependency(Relation("request", "EQ", stand_in.evr))
        )
        self.packages.append(None)
        return int(stand_in.id)

    @cached_property
    def _asked(self) -> Any:
        """The pool, from the first question on."""
        self._ready = True
        self._pool.addfileprovides()
        self._pool.createwhatprovides()
        return self._pool

    def package(self, number: int) -> Package:
        found = self.packages[number]
        assert found is not None
        return found

    def numbers_of(self, place: int) -> range:
        """All packages of a member."""
        ends = [*self.starts[1:], len(self.packages) - self._requests.nsolvables]
        return range(self.starts[place], ends[place])

    @cached_property
    def _architectures(self) -> dict[str, bool]:
        samples = {package.architecture: number for number, package in enumerate(self.packages) if package}
        return {
            architecture: architecture not in SOURCE_ARCHITECTURES
            and bool(self._pool.id2solvable(number).installable())
            for architecture, number in samples.items()
        }

    def can_be_had(self, number: int) -> bool:
        """Whether its architecture fits."""
        return self._architectures[self.package(number).architecture]

    def _dependency(self, relation: Relation) -> Any:
        dependency = self._pool.Dep(relation.name)
        if not relation.flags:
            return dependency
        flags = 0
        for name in _FLAGS[relation.flags]:
            flags |= getattr(self._solv, name)
        return dependency.Rel(flags, self._pool.Dep(relation.version))

    def satisfying(self, relation: Relation) -> list[int]:
        """The packages that a request by name means: those of the name, and those that replace them; else all
        that provide it; for a path those that have the file."""
        pool = self._asked
        if relation.name.startswith("/"):
            selection = pool.select(relation.name, self._solv.Selection.SELECTION_FILELIST)
            found = {solvable.id for solvable in selection.solvables()}
            return sorted(found.union(s.id for s in pool.whatprovides(self._dependency(relation))))
        provided = pool.whatprovides(self._dependency(relation))
        named = [solvable for solvable in provided if solvable.name == relation.name]
        if named and not relation.flags:
            return self._with_replacements(named)
        return [solvable.id for solvable in named or provided]

    def _with_replacements(self, solvables: Sequence[Any]) -> list[int]:
        """libsolv's own jobs by name do not honour Obsoletes; dnf does."""
        found = {solvable.id: solvable for solvable in solvables}
        waiting = list(solvables)
        while waiting:
            replaced = waiting.pop()
            for other in self._asked.whatmatchessolvable(self._solv.SOLVABLE_OBSOLETES, replaced):
                if other.name != replaced.name and other.id not in found and other.installable():
                    found[other.id] = other
                    waiting.append(other)
        return list(found)

    def requires(self, number: int) -> list[int]:
        """The relations (numbers of their own kind) that a package requires."""
        return self._relations(number, self._solv.SOLVABLE_REQUIRES)

    def recommends(self, number: int) -> list[int]:
        return self._relations(number, self._solv.SOLVABLE_RECOMMENDS)

    def supplements(self, number: int) -> list[int]:
        return self._relations(number, self._solv.SOLVABLE_SUPPLEMENTS)

    def _relations(self, number: int, key: int) -> list[int]:
        # 0: those needed before the installation too, behind a marker.
        found = self._asked.id2solvable(number).lookup_idarray(key, 0)
        return [relation for relation in found if relation != self._solv.SOLVABLE_PREREQMARKER]

    def providers(self, relation: int) -> tuple[int, ...]:
        """For a boolean relation all that satisfy any part of it."""
        found = self._providers.get(relation)
        if found is None:
            found = tuple(solvable.id for solvable in self._asked.whatprovides(relation))
            self._providers[relation] = found
        return found

    def text(self, relation: int) -> str:
        found = self._texts.get(relation)
        if found is None:
            found = self._texts[relation] = self._pool.dep2str(relation)
        return found

    def relation(self, text: str) -> int:
        """The number of a part of a boolean relation."""
        return int(self._dependency(parse_relation(text)).id)

    def choose(self, wishes: Sequence[Sequence[int]], *, weak: bool) -> set[int]:
        """What to install for as many of the wishes as go together, each for one of several packages."""
        pool, job = self._asked, self._solv.Job
        how = job.SOLVER_INSTALL | job.SOLVER_WEAK
        jobs = [
            pool.Job(how | job.SOLVER_SOLVABLE, wish[0])
            if len(wish) == 1
            else pool.Job(how | job.SOLVER_SOLVABLE_ONE_OF, pool.towhatprovides(list(wish)))
            for wish in wishes
        ]
        solver = self._solver(weak=weak)
        solver.solve(jobs)
        return {number for number in solver.raw_decisions() if number > 1}

    def problem(self, number: int) -> str:
        """Why a package cannot be installed; empty when it can."""
        job = self._solv.Job
        solver = self._solver(weak=False)
        problems = solver.solve([self._asked.Job(job.SOLVER_INSTALL | job.SOLVER_SOLVABLE, number)])
        # The solver must outlive its problems.
        return "; ".join(map(self._told, problems))

    def _told(self, problem: Any) -> str:
        """What excludes what, where that is the reason; else the reason libsolv prefers."""
        solv = self._solv.Solver
        exclusions = (
            solv.SOLVER_RULE_PKG_CONFLICTS,
            solv.SOLVER_RULE_PKG_OBSOLETES,
            solv.SOLVER_RULE_PKG_IMPLICIT_OBSOLETES,
            solv.SOLVER_RULE_PKG_SAME_NAME,
            solv.SOLVER_RULE_PKG_SELF_CONFLICT,
        )
        rules = [rule.info() for rule in problem.findallproblemrules()]
        chosen = next((info for info in rules if info.type in exclusions), None)
        return str((chosen or problem.findproblemrule().info()).problemstr())

    def _solver(self, *, weak: bool) -> Any:
        solver = self._asked.Solver()
        solver.set_flag(solver.SOLVER_FLAG_IGNORE_RECOMMENDED, 0 if weak else 1)
        return solver


def _offer(member: Member) -> RpmOffer:
    assert isinstance(member.offer, RpmOffer)
    return member.offer


def _primary_of(offer: RpmOffer, reading: Reading, packages: Collection[Package]) -> Iterator[bytes]:
    """The primary.xml of just these packages."""
    yield (_HEAD % len(packages)).encode()
    for entry in offer.entries(reading, [package.file for package in packages]):
        yield entry.text + b"</package>"
    yield b"</metadata>"
