# SPDX-License-Identifier: GPL-3.0-or-later
"""What a list of requirements needs: a walk as apt would go, then a judge.

The walk takes, for every group of alternatives of every package it reaches, the first that can be had: of the
first member that has any, the highest real package, or all providers of a name that is only provided. What it
takes for a group depends on the group alone, never on what was taken before: so the order of requirements does
not matter, more of them never bring in less, and an alternative that is there for one package cannot make
what another depends on vanish. A solver's smaller answer would be others than apt installs; where the walk's
answer cannot be installed because of conflicts, the solver's is added.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from orchestrator.content.formats import Member
from orchestrator.content.formats.deb.judge import Judge, Obstacle
from orchestrator.content.formats.deb.relations import Group, groups, requirement
from orchestrator.content.formats.deb.satisfiers import HARD, WEAK, Node, Satisfiers
from orchestrator.content.model import Because, Closure, ClosureOptions, Package, Reason, Unresolved

_ROUNDS = 5  # of the judge; what the solver adds has its own dependencies


def closure(members: Sequence[Member], requirements: Sequence[str], options: ClosureOptions) -> Closure:
    """See `Format.closure`. Raises Invalid for a requirement that cannot be read."""
    asked = [requirement(text) for text in requirements]
    walk = _Walk(Satisfiers(members), options)
    for member in members:
        if member.everything:
            for package in member.offer.packages():
                if package not in member.refused:
                    walk.take(walk.satisfiers.nodes(package), Reason(Because.MASTER, ""))
    for group in asked:
        walk.ask(group)
    if options.mandatory:
        for name, why in _mandatory(walk.satisfiers, members).items():
            walk.ask(groups(name)[0], why)
    walk.run()
    obstacles = _judge(walk)
    return Closure(walk.chosen, (*walk.unresolved(), *obstacles))


class _Walk:
    """What was chosen so far, with reasons, and what was not found."""

    def __init__(self, satisfiers: Satisfiers, options: ClosureOptions) -> None:
        self.satisfiers = satisfiers
        self.options = options
        self.chosen: dict[Package, Reason] = {}
        self.nodes: dict[Node, None] = {}
        self._waiting: deque[Node] = deque()
        self._choices: dict[tuple[str, str], list[Node]] = {}
        self._absent: dict[tuple[Package | None, str], Group] = {}
        self._present: set[tuple[Package, str]] = set()

    def ask(self, group: Group, why: str = "") -> None:
        """A requirement, on every architecture that has what it asks for."""
        found = False
        for architecture in self.satisfiers.architectures:
            nodes = self._choice(group, architecture)
            self.take(nodes, Reason(Because.REQUESTED, why or group.text))
            found = found or bool(nodes)
        if not found:
            self._absent[None, group.text] = group

    def take(self, nodes: Iterable[Node], reason: Reason) -> None:
        for node in nodes:
            if node not in self.nodes:
                self.nodes[node] = None
                self._waiting.append(node)
                self.chosen.setdefault(node.package, reason)

    def run(self) -> None:
        while self._waiting:
            package, architecture = self._waiting.popleft()
            for group in self.satisfiers.groups(package, HARD):
                nodes = self._choice(group, architecture)
                if nodes:
                    self.take(nodes, Reason(Because.DEPENDS, group.text, package))
                    if package.architecture != architecture:
                        self._present.add((package, group.text))
                else:
                    self._absent[package, group.text] = group
            if self.options.weak:
                for group in self.satisfiers.groups(package, WEAK):
                    nodes = self._choice(group, architecture)
                    self.take(nodes, Reason(Because.RECOMMENDS, group.text, package))

    def unresolved(self) -> Iterator[Unresolved]:
        """What nothing satisfies. A package for all architectures need not work on each of them."""
        for (package, text), group in self._absent.items():
            if package is None or self.lacks(package, text):
                yield Unresolved(text, package, self.satisfiers.nearest(group))

    def lacks(self, package: Package, text: str) -> bool:
        """Whether nothing satisfies this relation of the package, on whatever architecture."""
        return (package, text) in self._absent and (package, text) not in self._present

    def _choice(self, group: Group, architecture: str) -> list[Node]:
        key = (group.text, architecture)
        found = self._choices.get(key)
        if found is None:
            every = self.options.all_alternatives
            found = self.satisfiers.choice(group, architecture, every_alternative=every)
            self._choices[key] = found
        return found


def _mandatory(satisfiers: Satisfiers, members: Sequence[Member]) -> Mapping[str, str]:
    """Names of the packages that every system has, and what says so."""
    names: dict[str, str] = {}
    for member in members:
        for package in member.offer.packages():
            fields = satisfiers.fields(package)
            for field, value in (("Essential", "yes"), ("Priority", "required")):
                if fields.get(field) == value:
                    names.setdefault(package.name, f"{field}: {value}")
    return names


# The judge --------------------------------------------------------------------------------------------------


def _judge(walk: _Walk) -> list[Unresolved]:
    """Add what the solver needs to make everything installable; what stays uninstallable, and why."""
    hopeless: dict[Node, list[Obstacle]] = {}
    fine: set[Node] = set()
    for _ in range(_ROUNDS):
        waiting = [node for node in walk.nodes if node not in fine and node not in hopeless]
        judge = Judge(walk.satisfiers, walk.nodes)
        failing = judge.uninstallable(waiting)
        fine.update(set(waiting).difference(failing))
        failing = [node for node in failing if not _lacks_something(walk, node.package)]
        if not failing:
            break
        before = len(walk.nodes)
        hopeless |= {node: judge.obstacles(node) for node in _mend(walk, failing)}
        if len(walk.nodes) == before:
            break
        walk.run()
    return list(_reports(walk, hopeless, fine))


def _lacks_something(walk: _Walk, package: Package) -> bool:
    return any(walk.lacks(package, group.text) for group in walk.satisfiers.groups(package))


def _mend(walk: _Walk, failing: Sequence[Node]) -> list[Node]:
    """Add the solver's answer for each; those for which even everything there is gives none."""
    judge = Judge(walk.satisfiers, _reachable(walk.satisfiers, failing))
    hopeless: list[Node] = []
    for node in failing:
        answer = judge.installation(node, rather=walk.nodes)
        if answer is None:
            hopeless.append(node)
            continue
        for new in answer:
            if new not in walk.nodes:
                walk.take([new], _solver_s_reason(walk.satisfiers, answer, new))
    return hopeless


def _reachable(satisfiers: Satisfiers, start: Iterable[Node]) -> dict[Node, None]:
    """All that could ever have a part in installing `start`: every version of every alternative."""
    seen = dict.fromkeys(start)
    waiting = deque(seen)
    done: set[tuple[str, str]] = set()
    while waiting:
        package, architecture = waiting.popleft()
        for group in satisfiers.groups(package, HARD):
            if (group.text, architecture) in done:
                continue
            done.add((group.text, architecture))
            for node in satisfiers.every(group, architecture):
                if node not in seen:
                    seen[node] = None
                    waiting.append(node)
    return seen


def _solver_s_reason(satisfiers: Satisfiers, installed: Sequence[Node], new: Node) -> Reason:
    for node in installed:
        for group in satisfiers.groups(node.package, HARD):
            if new in satisfiers.every(group, node.architecture):
                return Reason(Because.SOLVER, group.text, node.package)
    return Reason(Because.SOLVER, "")


def _reports(
    walk: _Walk, hopeless: Mapping[Node, Sequence[Obstacle]], fine: Collection[Node]
) -> Iterator[Unresolved]:
    """One for each cause; what the walk found to be absent is known already."""
    works = {node.package for node in fine}
    told: set[tuple[str, Package]] = set()
    for node, obstacles in hopeless.items():
        for relation, by, other in obstacles:
            known = (relation, by) in told or walk.lacks(by, relation)
            if known or node.package in works:
                continue
            told.add((relation, by))
            if other:
                yield Unresolved(relation, by, f"{other}, which {node.package} needs as well")
            else:
                yield Unresolved(relation, by, walk.satisfiers.nearest(groups(relation)[0]))


# Losses -----------------------------------------------------------------------------------------------------


def broken_without(
    members: Sequence[Member], kept: Collection[Package], lost: Collection[Package]
) -> Mapping[Package, Unresolved]:
    """See `Format.broken_without`. Packages of members that `kept` has nothing of count as there: a master's,
    when `kept` is what a partial mirror of another source holds."""
    there = frozenset(kept)
    sources = {package.source for package in there}
    satisfiers = Satisfiers(members, lambda package: package in there or package.source not in sources)
    dominoes = _Dominoes(satisfiers, kept)
    before = set(dominoes.fallen)
    dominoes.fall(node for package in lost for node in satisfiers.nodes(package))
    gone, found = set(lost), dict[Package, Unresolved]()
    for package in kept:
        nodes = satisfiers.nodes(package)
        if package in gone or any(node not in dominoes.fallen for node in nodes):
            continue
        news = [node for node in nodes if node not in before]
        if news:
            found[package] = Unresolved(dominoes.fallen[news[0]], package)
    return found


class _Dominoes:
    """Packages that stand as long as one of the packages each relation leans on stands.

    `fallen` says for each node that does not because of which relation ("" for those that were pushed). Every
    relation leans on one node at a time; when that falls, on another, if any is left.
    """

    def __init__(self, satisfiers: Satisfiers, packages: Collection[Package]) -> None:
        self._satisfiers = satisfiers
        self._leaning: dict[Node, list[tuple[Node, Group]]] = {}
        self.fallen: dict[Node, str] = {}
        for package in packages:
            for node in satisfiers.nodes(package):
                for group in satisfiers.groups(package, HARD):
                    self._lean(node, group)

    def fall(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            self._push(node, "")

    def _push(self, node: Node, relation: str) -> None:
        waiting = [(node, relation)]
        while waiting:
            each, why = waiting.pop()
            if each in self.fallen:
                continue
            self.fallen[each] = why
            waiting += [
                (dependent, group.text)
                for dependent, group in self._leaning.pop(each, ())
                if dependent not in self.fallen and not self._finds_support(dependent, group)
            ]

    def _lean(self, node: Node, group: Group) -> None:
        if node not in self.fallen and not self._finds_support(node, group):
            self._push(node, group.text)

    def _finds_support(self, node: Node, group: Group) -> bool:
        for support in self._satisfiers.every(group, node.architecture):
            if support not in self.fallen:
                self._leaning.setdefault(support, []).append((node, group))
                return True
        return False
