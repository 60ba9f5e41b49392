# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole sets of packages made up from a seed: tangled, and closed: whatever one needs is there."""

import random
from collections.abc import Sequence

from tests.support.deb_repository import Deb
from tests.support.rpm_repository import Rpm


def generated_rpms(seed: int, count: int = 200) -> list[Rpm]:
    """Versioned, boolean and file requirements, virtual names, packages that replace others, weak ones, some with
    two versions. Each needs only those before it, but for a circle now and then."""
    chance = random.Random(seed)
    virtuals = count // 10
    rpms: list[Rpm] = []
    for number in range(count):
        earlier = [rpm for rpm in rpms if rpm.name.startswith("p")]
        obsoletes = (f"gone{number} < 2",) if chance.random() < 0.1 else ()
        one = Rpm(
            f"p{number}",
            f"{chance.choice(['', '', '1:'])}{chance.randint(1, 9)}.{chance.randint(0, 12)}-1",
            chance.choice(["x86_64", "noarch"]),
            requires=_relations(chance, earlier, virtuals, chance.choice([0, 1, 1, 2, 3])),
            provides=_virtual(chance, number, virtuals),
            obsoletes=obsoletes,
            recommends=_relations(chance, earlier, virtuals, chance.choice([0, 0, 1]), plain=True),
            supplements=(chance.choice(earlier).name,) if earlier and chance.random() < 0.1 else (),
            files=(
                f"/usr/share/p{number}/data",
                *((f"/usr/bin/p{number}",) if chance.random() < 0.3 else ()),
            ),
        )
        rpms.append(one)
        if obsoletes:
            rpms.append(Rpm(f"gone{number}", "1-1"))
        if chance.random() < 0.1:
            rpms.append(Rpm(one.name, "0.5-1", requires=one.requires, provides=one.provides))
    return rpms


def _virtual(chance: random.Random, number: int, virtuals: int) -> tuple[str, ...]:
    """Every virtual name has somebody who provides it, the first of them among the first packages."""
    if number < virtuals:
        return (f"v{number} = {chance.randint(1, 3)}",)
    return (f"v{chance.randrange(virtuals)} = {chance.randint(1, 3)}",) if chance.random() < 0.1 else ()


def _relations(
    chance: random.Random, earlier: Sequence[Rpm], virtuals: int, count: int, *, plain: bool = False
) -> tuple[str, ...]:
    if len(earlier) < virtuals + 2:
        return ()
    return tuple(_relation(chance, earlier, virtuals, plain=plain) for _ in range(count))


def _relation(chance: random.Random, earlier: Sequence[Rpm], virtuals: int, *, plain: bool) -> str:
    one, other = chance.choice(earlier), chance.choice(earlier)
    kind = chance.random()
    if kind < 0.35 or plain:
        return one.name
    if kind < 0.5:
        return f"{one.name} >= {one.evr.rpartition('-')[0]}"
    if kind < 0.65:
        return f"v{chance.randrange(virtuals)}"
    if kind < 0.8:
        return chance.choice(one.files) if one.files else one.name
    form = chance.choice(["({} or {})", "({} and {})", "({} if {})", "(({} or {}) if p0)"])
    return form.format(one.name, other.name)


def generated_debs(seed: int, prefix: str, count: int, others: Sequence[Deb] = ()) -> list[Deb]:
    """Packages PREFIX0, PREFIX1, ... that need those before them, and any of `others`: alternatives, versions,
    virtual names."""
    chance = random.Random(f"{seed} {prefix}")
    debs: list[Deb] = []
    for number in range(count):
        known = [*debs, *others]
        groups = []
        for _ in range(chance.choice([0, 1, 1, 2, 3]) if known else 0):
            choices = [chance.choice(known) for _ in range(chance.choice([1, 1, 2, 3]))]
            groups.append(" | ".join(_deb_relation(chance, each) for each in choices))
        virtual = f"{prefix}v{number % 7}"
        provides = virtual if chance.random() < 0.2 else ""
        version = f"{chance.choice(['', '1:'])}{chance.randint(1, 9)}.{chance.randint(0, 12)}-1"
        debs.append(
            Deb(f"{prefix}{number}", version, chance.choice(["amd64", "all"]), ", ".join(groups), provides)
        )
    return debs


def _deb_relation(chance: random.Random, deb: Deb) -> str:
    if deb.provides and chance.random() < 0.5:
        return deb.provides
    return f"{deb.name} (>= {deb.version})" if chance.random() < 0.4 else deb.name
