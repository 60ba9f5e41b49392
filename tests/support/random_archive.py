# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of .deb packages made up at random, from a seed: small, tangled, and partly broken."""

import random


def random_archive(seed: int, *, names: int = 24, conflicts: bool = False) -> str:
    """Stanzas: several versions, alternatives, versioned relations, virtual names, circles, what is not there."""
    chance = random.Random(seed)
    known = [f"p{number}" for number in range(names)]
    virtual = [f"v{number}" for number in range(names // 6)]

    def relation() -> str:
        name = chance.choice([*known, *known, *virtual, "gone"] if chance.random() < 0.3 else known)
        if chance.random() < 0.3:
            return f"{name} ({chance.choice(['<<', '<=', '=', '>=', '>>'])} {chance.randint(1, 3)})"
        return name

    def field(most: int) -> str:
        groups = [
            " | ".join(relation() for _ in range(chance.choice([1, 1, 2, 3])))
            for _ in range(chance.randrange(most))
        ]
        return ", ".join(groups)

    stanzas = []
    for name in known:
        for version in sorted(chance.sample([1, 2, 3], chance.choice([1, 1, 2]))):
            fields = {
                "Package": name,
                "Version": str(version),
                "Architecture": chance.choice(["amd64", "all"]),
            }
            fields |= {"Depends": field(4), "Pre-Depends": field(2), "Recommends": field(2)}
            provided = chance.sample(virtual, chance.choice([0, 0, 1, 2]))
            fields["Provides"] = ", ".join(
                each + chance.choice(["", f" (= {chance.randint(1, 3)})"]) for each in provided
            )
            if conflicts and chance.random() < 0.5:
                fields[chance.choice(["Conflicts", "Breaks"])] = ", ".join(
                    relation() for _ in range(chance.randint(1, 3))
                )
            stanzas.append("\n".join(f"{key}: {value}" for key, value in fields.items() if value))
    chance.shuffle(stanzas)
    return "\n\n".join(stanzas)
