# SPDX-License-Identifier: GPL-3.0-or-later
"""One resolution for one kind of machine: wishes granted in rounds, then a reason for every package."""

import difflib
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from orchestrator.content.formats import Member
from orchestrator.content.formats.rpm.installable import Installable
from orchestrator.content.formats.rpm.solver import Solver
from orchestrator.content.formats.rpm.versions import Relation, parse_relation, version_key
from orchestrator.content.model import Because, Closure, ClosureOptions, Reason, Unresolved
from orchestrator.errors import Invalid

_NEAREST = 3


@dataclass(frozen=True, slots=True)
class Wish:
    """One thing that is asked for, in the words of who asked; `relation` None: a boolean one."""

    text: str
    relation: Relation | None


@dataclass(slots=True)
class _Root:
    """One of `numbers` is to be in, with what it needs; `granted` is the one that is. Of what is `welcome` nobody
    misses what cannot be had."""

    numbers: Sequence[int]
    wish: Wish | None = None
    granted: int = 0
    welcome: bool = False


class Resolution:
    """Of wishes that one kind of machine has, across all members."""

    def __init__(
        self,
        members: Sequence[Member],
        wishes: Sequence[Wish],
        options: ClosureOptions,
        architecture: str,
    ) -> None:
        self._members, self._wishes, self._options = members, wishes, options
        files = [wish.relation.name for wish in wishes if wish.relation and wish.relation.name[0] == "/"]
        self._solver = Solver(members, architecture, files=files)
        self._chosen: set[int] = set()
        self._forced: set[int] = set()
        self._unresolved: dict[Unresolved, None] = {}

    def closure(self) -> Closure:
        roots = [*self._roots()]
        self._grant([root for root in roots if not root.welcome])
        self._rounds([root for root in roots if root.welcome])
        if self._options.all_alternatives:
            self._take_alternatives()
        reasons = self._reasons(roots)
        chosen = {self._solver.package(number): reason for number, reason in reasons.items()}
        return Closure(chosen, tuple(self._unresolved))

    # What is wished for

    def _roots(self) -> Iterator[_Root]:
        boolean = {wish: self._solver.request(wish.text) for wish in self._wishes if wish.relation is None}
        for wish in self._wishes:
            if wish.relation is not None:
                numbers = self._solver.satisfying(wish.relation) or self._of_architecture(wish.relation)
            elif boolean[wish]:
                numbers = [boolean[wish]]
            else:
                raise Invalid(f"{wish.text!r} is not a boolean requirement", hint="like (a or b >= 1)")
            if numbers:
                yield _Root(numbers, wish)
                yield from self._of_the_name(numbers, wish)
            else:
                self._miss(Unresolved(wish.text, None, self._nearest(wish.relation, close=True)))
        for number in self._everything:
            if self._solver.can_be_had(number):
                yield _Root((number,))

    def _of_the_name(self, numbers: Sequence[int], wish: Wish) -> Iterator[_Root]:
        """The package that was asked for, also when another replaces it: without it dnf does not know the name."""
        if wish.relation is None:
            return
        named = [number for number in numbers if self._solver.package(number).name == wish.relation.name]
        if 0 < len(named) < len(numbers):
            yield _Root(named, wish, welcome=True)

    @cached_property
    def _everything(self) -> list[int]:
        return [
            number
            for place, member in enumerate(self._members)
            if member.everything
            for number in self._solver.numbers_of(place)
        ]

    def _of_architecture(self, relation: Relation) -> list[int]:
        """`nginx.x86_64`."""
        name, _, architecture = relation.name.rpartition(".")
        found = self._solver.satisfying(Relation(name, relation.flags, relation.version)) if name else []
        return [number for number in found if self._solver.package(number).architecture == architecture]

    # Granting

    def _grant(self, roots: Iterable[_Root]) -> None:
        waiting = list(roots)
        while waiting:
            waiting = [root for refused in self._rounds(waiting) for root in self._follow(refused)]

    def _rounds(self, roots: list[_Root]) -> list[_Root]:
        """Grant as many at once as go together, then of the others, until none is left but those that cannot be
        granted at all."""
        while roots:
            found = self._solver.choose([root.numbers for root in roots], weak=self._options.weak)
            self._chosen |= found
            refused = []
            for root in roots:
                granted = [number for number in root.numbers if number in found]
                if granted:
                    root.granted = self._best(granted)
                else:
                    refused.append(root)
            if len(refused) == len(roots):
                return refused
            roots = refused
        return []

    def _best(self, numbers: Collection[int]) -> int:
        """Of the first member that has one, the newest."""
        if len(numbers) == 1:
            return next(iter(numbers))
        return max(numbers, key=lambda number: (-self._place(number), self._version(number)))

    def _place(self, number: int) -> int:
        return sum(1 for start in self._solver.starts if start <= number)

    def _version(self, number: int) -> tuple[object, ...]:
        package = self._solver.packages[number]
        return () if package is None else (version_key(package.version),)

    def _follow(self, refused: _Root) -> Iterator[_Root]:
        """Take in a package that cannot be installed, say why, and wish for what can be had of what it requires."""
        number = self._best(refused.numbers)
        if number in self._forced:
            return
        self._forced.add(number)
        self._chosen.add(number)
        package = self._solver.packages[number]
        broken = self._installable.broken
        if refused.wish is not None and number not in broken:
            # Nothing is missing: what it needs excludes each other.
            self._miss(Unresolved(self._solver.problem(number), package))
        for relation in self._solver.requires(number):
            numbers = self._solver.providers(relation)
            good = [provider for provider in numbers if provider not in broken]
            if numbers:
                yield _Root(good or numbers)
            elif not self._installable.satisfied(relation):
                text = self._solver.text(relation)
                self._miss(Unresolved(text, package, self._nearest_of(text)))

    @cached_property
    def _installable(self) -> Installable:
        solver = self._solver
        return Installable(
            solver,
            (
                n
                for n, package in enumerate(solver.packages)
                if n > 1 and (not package or solver.can_be_had(n))
            ),
        )

    def _miss(self, unresolved: Unresolved) -> None:
        self._unresolved.setdefault(unresolved)

    def _take_alternatives(self) -> None:
        """Everything that satisfies a relation of what is chosen: of each name the best."""
        done: set[int] = set()
        while more := self._chosen - done:
            done |= more
            names: dict[tuple[str, str], list[int]] = {}
            for number in more:
                for relation in self._solver.requires(number):
                    for provider in self._solver.providers(relation):
                        package = self._solver.packages[provider]
                        if package is not None:
                            names.setdefault((package.name, package.architecture), []).append(provider)
            best = {self._best(set(numbers)) for numbers in names.values()}
            self._rounds([_Root((number,)) for number in sorted(best - self._chosen)])

    # Reasons

    def _reasons(self, roots: Sequence[_Root]) -> dict[int, Reason]:
        """Who brings each package in, from the roots on, nearest first."""
        reasons: dict[int, Reason] = {}
        queue: deque[int] = deque()
        for root in roots:
            number = root.granted or (self._best(root.numbers) if root.wish else 0)
            if root.wish is None or number not in self._chosen:
                continue
            if self._solver.packages[number] is None:
                self._hand_on(number, Because.REQUESTED, root.wish.text, reasons, queue)
            elif number not in reasons:
                reasons[number] = Reason(Because.REQUESTED, root.wish.text)
                queue.append(number)
        for number in self._everything:
            if number not in reasons:
                reasons[number] = Reason(Because.MASTER, "")
                queue.append(number)
        self._spread(reasons, queue)
        left = sorted(n for n in self._chosen if n not in reasons and self._solver.packages[n] is not None)
        for number in left:
            if number not in reasons:
                reasons[number] = self._supplemented(number)
                self._spread(reasons, deque([number]))
        return reasons

    def _spread(self, reasons: dict[int, Reason], queue: deque[int]) -> None:
        to_find = len(self._chosen.union(self._everything))
        while queue and len(reasons) < to_find:
            number = queue.popleft()
            self._hand_on(number, Because.DEPENDS, "", reasons, queue)

    def _hand_on(
        self, number: int, because: Because, text: str, reasons: dict[int, Reason], queue: deque[int]
    ) -> None:
        """`number` is the reason for what it requires."""
        solver, by = self._solver, self._solver.packages[number]
        kinds = [(because, solver.requires(number))]
        if self._options.weak and by is not None:
            kinds.append((Because.RECOMMENDS, solver.recommends(number)))
        for why, relations in kinds:
            for relation in relations:
                for provider in solver.providers(relation):
                    if provider in self._chosen and provider not in reasons:
                        reasons[provider] = Reason(why, text or solver.text(relation), by)
                        queue.append(provider)

    def _supplemented(self, number: int) -> Reason:
        """The reason of one that nothing chosen asks for."""
        for relation in self._solver.supplements(number) if self._options.weak else ():
            for provider in self._solver.providers(relation):
                if provider in self._chosen and provider != number:
                    by = self._solver.packages[provider]
                    return Reason(Because.RECOMMENDS, self._solver.text(relation), by)
        return Reason(Because.SOLVER, "")

    # What comes close

    def _nearest(self, relation: Relation | None, *, close: bool = False) -> str:
        """What there is of the same name; else, when `close`, names that look alike."""
        if relation is None:
            return ""
        numbers = self._solver.satisfying(Relation(relation.name)) if relation.flags else []
        packages = {package for number in numbers if (package := self._solver.packages[number])}
        newest = sorted(packages, key=lambda package: version_key(package.version))[-_NEAREST:]
        if newest:
            return "there is " + ", ".join(f"{package.name} {package.version}" for package in newest)
        if not close:
            return ""
        names = {package.name for package in self._solver.packages if package}
        alike = difflib.get_close_matches(relation.name, names, _NEAREST, 0.7)
        return "there is " + ", ".join(alike) if alike else ""

    def _nearest_of(self, text: str) -> str:
        try:
            return self._nearest(parse_relation(text))
        except Invalid:
            return ""
