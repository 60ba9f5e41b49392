# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge of a closure: can every package of a set be installed from that set alone? libsolv knows.

The solver only solves. Which package satisfies which relation is decided here by Debian's rules (its wheel
knows only rpm's): every group of alternatives becomes a capability of its own, `+17`, that exactly the
packages that satisfy it provide; Conflicts and Breaks likewise. Names have their architecture (`libc6:i386`), so
that several can be installed beside each other.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from orchestrator.content.formats.deb.relations import Group, Relation, groups, provided
from orchestrator.content.formats.deb.satisfiers import AGAINST, HARD, Node, Satisfiers
from orchestrator.content.formats.deb.versions import satisfies, version_key
from orchestrator.content.model import Package

_FEW = 8


class Obstacle(NamedTuple):
    """Why something cannot be installed: `relation` of `by` that nothing satisfies, or one against `other`;
    of two versions of one package there can be only one."""

    relation: str
    by: Package
    other: Package | None = None


class Judge:
    """Installations from `nodes` and nothing else. Keeps the solver's data as long as it lives."""

    def __init__(self, satisfiers: Satisfiers, nodes: Iterable[Node]) -> None:
        import solv

        self._solv = solv
        self._satisfiers = satisfiers
        self._pool = solv.Pool()
        self._pool.setarch("x86_64")
        self._nodes = list(dict.fromkeys(nodes))
        self._named: dict[str, list[int]] = {}
        self._provided: dict[str, list[tuple[int, str]]] = {}
        self._capabilities: dict[tuple[str, str], int] = {}
        self._provides: list[list[int]] = [[] for _ in self._nodes]
        self._texts: dict[int, str] = {}
        self._index()
        self._fill()

    def uninstallable(self, nodes: Sequence[Node]) -> list[Node]:
        """Those that cannot be installed, each by itself. Most are found to be fine many at a time."""
        left = list(nodes)
        while len(left) > _FEW:
            together = self._together(left)
            rest = [node for node in left if node not in together]
            if len(rest) == len(left):
                break
            left = rest
        return [node for node in left if self.installation(node) is None]

    def installation(self, node: Node, rather: Iterable[Node] = ()) -> list[Node] | None:
        """What to install for `node`, if it can be; where there is a choice, from `rather`."""
        solver, problems = self._solve(node, rather)
        return None if problems else self._installed(solver)

    def obstacles(self, node: Node) -> list[Obstacle]:
        """Why `node` cannot be installed."""
        solver, problems = self._solve(node)
        rules = [rule for problem in problems for rule in problem.findallproblemrules()]
        found = [self._obstacle(info) for rule in rules for info in rule.allinfos()]
        del problems, solver
        return list(dict.fromkeys(obstacle for obstacle in found if obstacle))

    def _together(self, nodes: Sequence[Node]) -> set[Node]:
        """As many of them as the solver can install together."""
        solv, solver = self._solv, self._solver()
        how = solv.Job.SOLVER_INSTALL | solv.Job.SOLVER_SOLVABLE | solv.Job.SOLVER_WEAK
        solver.solve([self._pool.Job(how, self._number[node] + self._first) for node in nodes])
        return set(self._installed(solver))

    def _solve(self, node: Node, rather: Iterable[Node] = ()) -> tuple[Any, list[Any]]:
        """The solver must outlive its problems."""
        solv, pool, solver = self._solv, self._pool, self._solver()
        favor = solv.Job.SOLVER_FAVOR | solv.Job.SOLVER_SOLVABLE
        install = solv.Job.SOLVER_INSTALL | solv.Job.SOLVER_SOLVABLE
        jobs = [pool.Job(favor, self._number[each] + self._first) for each in rather if each in self._number]
        return solver, solver.solve([*jobs, pool.Job(install, self._number[node] + self._first)])

    def _solver(self) -> Any:
        solver = self._pool.Solver()
        solver.set_flag(self._solv.Solver.SOLVER_FLAG_IGNORE_RECOMMENDED, 1)
        return solver

    def _installed(self, solver: Any) -> list[Node]:
        return [self._nodes[each.id - self._first] for each in solver.transaction().newsolvables()]

    def _obstacle(self, info: Any) -> Obstacle | None:
        solver = self._solv.Solver
        if info.type == solver.SOLVER_RULE_PKG_NOTHING_PROVIDES_DEP:
            return Obstacle(self._texts[info.dep_id], self._nodes[info.solvable.id - self._first].package)
        if info.type in (solver.SOLVER_RULE_PKG_CONFLICTS, solver.SOLVER_RULE_PKG_SAME_NAME):
            by, other = (self._nodes[each.id - self._first] for each in (info.solvable, info.othersolvable))
            text = self._texts.get(info.dep_id, "no other version")
            return Obstacle(text, by.package, other.package)
        return None

    # The set, as the solver sees it -----------------------------------------------------------------------

    def _index(self) -> None:
        for number, (package, _) in enumerate(self._nodes):
            self._named.setdefault(package.name, []).append(number)
            if text := self._satisfiers.fields(package).get("Provides"):
                for relation, version in provided(text):
                    self._provided.setdefault(relation.name, []).append((number, version))
        self._number = {node: number for number, node in enumerate(self._nodes)}

    def _fill(self) -> None:
        solv, pool = self._solv, self._pool
        repository = pool.add_repo("set")
        ranks = self._ranks()
        noarch = pool.str2id("noarch")
        solvables = []
        for node in self._nodes:
            solvable = repository.add_solvable()
            solvable.name = f"{node.package.name}:{node.architecture}"
            solvable.add_deparray(
                solv.SOLVABLE_PROVIDES, solvable.nameid
            )  # or two versions could be installed
            solvable.evr = ranks.get(node.package.version, "1")
            solvable.archid = noarch
            solvables.append(solvable)
            for group in self._satisfiers.groups(node.package, HARD):
                solvable.add_deparray(solv.SOLVABLE_REQUIRES, self._required(group, node.architecture))
            for field, group in self._against(node.package):
                for capability in self._conflicting(field, group, node.architecture):
                    solvable.add_deparray(solv.SOLVABLE_CONFLICTS, capability)
        for solvable, capabilities in zip(solvables, self._provides, strict=True):
            for capability in capabilities:
                solvable.add_deparray(solv.SOLVABLE_PROVIDES, capability)
        self._first = solvables[0].id if solvables else 0
        pool.createwhatprovides()

    def _ranks(self) -> dict[str, str]:
        """Numbers for the versions of names that are there in several."""
        several = [numbers for numbers in self._named.values() if len(numbers) > 1]
        versions = {self._nodes[number].package.version for numbers in several for number in numbers}
        return {version: str(rank) for rank, version in enumerate(sorted(versions, key=version_key), 2)}

    def _against(self, package: Package) -> Iterator[tuple[str, Group]]:
        fields = self._satisfiers.fields(package)
        for field in AGAINST:
            if text := fields.get(field):
                for group in groups(text):
                    yield field, group

    def _required(self, group: Group, architecture: str) -> int:
        key = (group.text, architecture)
        known = self._capabilities.get(key)
        if known is None:
            numbers = [n for each in group.alternatives for n in self._matching(each, architecture)]
            known = self._capabilities[key] = self._capability(group.text, numbers)
        return known

    def _conflicting(self, field: str, group: Group, architecture: str) -> list[int]:
        """One capability, or none when nothing matches: most relations are against what is long gone."""
        if not any(each.name in self._named or each.name in self._provided for each in group.alternatives):
            return []
        key = (f"{field}: {group.text}", architecture)
        known = self._capabilities.get(key)
        if known is None:
            numbers = [
                n for each in group.alternatives for n in self._matching(each, architecture, against=True)
            ]
            known = self._capabilities[key] = self._capability(key[0], numbers) if numbers else 0
        return [known] if known else []

    def _capability(self, text: str, numbers: Iterable[int]) -> int:
        capability: int = self._pool.str2id(f"+{len(self._capabilities)}")
        self._texts[capability] = text
        for number in dict.fromkeys(numbers):
            self._provides[number].append(capability)
        return capability

    def _matching(self, relation: Relation, architecture: str, *, against: bool = False) -> Iterator[int]:
        """The packages that satisfy a relation. Without a qualifier, one `against` is so for every
        architecture."""
        operator, version = relation.operator, relation.version
        for number in self._named.get(relation.name, ()):
            node = self._nodes[number]
            if satisfies(node.package.version, operator, version) and (
                self._seen(relation, architecture, node, against=against)
            ):
                yield number
        for number, provides in self._provided.get(relation.name, ()):
            if (not operator or (provides and satisfies(provides, operator, version))) and (
                self._seen(relation, architecture, self._nodes[number], against=against)
            ):
                yield number

    def _seen(self, relation: Relation, architecture: str, node: Node, *, against: bool) -> bool:
        match relation.qualifier:
            case "" | "native":
                foreign = node.architecture != architecture
                return not foreign or against or self._satisfiers.multi_arch(node.package) == "foreign"
            case "any":
                return against or self._satisfiers.multi_arch(node.package) == "allowed"
            case wanted:
                return node.architecture == wanted
