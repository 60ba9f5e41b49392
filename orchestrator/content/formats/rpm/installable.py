# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages of a set have all that they require in it, through any number of steps."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from orchestrator.content.formats.rpm.solver import Solver
from orchestrator.content.formats.rpm.versions import Rich, parse_rich

# Features of rpm itself.
_OF_RPM = "rpmlib("


class Installable:
    """`broken` maps the packages that cannot be installed from the set to the relation that is not satisfied.

    Conflicts are not looked at: they do not depend on what is missing.
    """

    def __init__(self, solver: Solver, numbers: Iterable[int]) -> None:
        self._solver = solver
        self._present = set(numbers)
        self.broken: dict[int, int] = {}
        self._requirers: dict[int, list[int]] = defaultdict(list)
        self._served: dict[int, list[int]] = defaultdict(list)
        for number in self._present:
            for relation in solver.requires(number):
                self._requirers[relation].append(number)
        for relation in self._requirers:
            for provider in solver.providers(relation):
                self._served[provider].append(relation)
        self._spread(self._requirers)

    def without(self, lost: Collection[int]) -> dict[int, int]:
        """What else breaks when these are taken away, and because of which relation."""
        before = set(self.broken)
        self._present.difference_update(lost)
        self._spread({relation for number in lost for relation in self._served[number]})
        return {number: why for number, why in self.broken.items() if number not in before}

    def _spread(self, relations: Iterable[int]) -> None:
        waiting = list(relations)
        while waiting:
            relation = waiting.pop()
            if self.satisfied(relation):
                continue
            for number in self._requirers[relation]:
                if number in self._present:
                    self._present.remove(number)
                    self.broken[number] = relation
                    waiting += self._served[number]

    def satisfied(self, relation: int) -> bool:
        text = self._solver.text(relation)
        if text.startswith("("):
            return self._holds(parse_rich(text), relation)
        return text.startswith(_OF_RPM) or self._is_there(relation)

    def _is_there(self, relation: int) -> bool:
        return any(number in self._present for number in self._solver.providers(relation))

    def _holds(self, rich: Rich | str, whole: int) -> bool:
        """A condition counts as one that can be avoided: what is required then is not held against a package."""
        if isinstance(rich, str):
            return self._is_there(self._solver.relation(rich))
        if rich.operator in ("with", "without"):
            return self._is_there(whole)
        if rich.operator == "and":
            return all(self._holds(part, whole) for part in rich.parts)
        if rich.operator == "or":
            return any(self._holds(part, whole) for part in rich.parts)
        return True
