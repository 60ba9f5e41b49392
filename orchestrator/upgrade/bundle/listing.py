# SPDX-License-Identifier: GPL-3.0-or-later
"""CONTENTS.txt and contents.json: what is inside a bundle, what is not and why, what was removed. Pure."""

import json
import textwrap
from collections.abc import Mapping
from dataclasses import asdict

from orchestrator.upgrade.bundle.collecting import Collection

FORMAT = 1
_REMOVED = """\
Where a secret was, there is [removed]. Removed was what is known to be secret: values of the configurations whose keys
say so, what is in the files they name, environments of the services' units, also encoded (URL, Base64, JSON, shell
quotes); and what is called a password, token or key, or looks like one (private keys, headers, addresses with a
password, tokens of known makes). A secret that nothing tells from other text cannot be found: look through the files
before you send them."""


def render_text(heading: Mapping[str, str], found: Collection) -> str:
    """`heading`: what the bundle is about, by name."""
    lines = ["What is in this bundle", ""]
    width = max((len(name) for name in heading), default=0)
    lines += [f"{name + ':':<{width + 1}} {value}" for name, value in heading.items()]
    lines += ["", *textwrap.wrap(_REMOVED.replace("\n", " "), 100), ""]
    lines += [found.summary(), ""]
    longest = max((len(member.path) for member in found.members), default=4)
    lines.append(f"{'bytes':>10}  {'removed':>7}  {'file':<{longest}}  what it is")
    for member in found.members:
        notes = [f"{member.left_out} bytes of its middle left out"] if member.left_out else []
        notes += [member.remark] if member.remark else []
        what = f"{member.what} ({'; '.join(notes)})" if notes else member.what
        removed = str(member.removed) if member.removed else "-"
        lines.append(f"{member.size:>10}  {removed:>7}  {member.path:<{longest}}  {what}".rstrip())
    if found.missing:
        lines += ["", "Could not be collected", ""]
        lines += [f"{missing.path} ({missing.what}): {missing.why}" for missing in found.missing]
    return "\n".join(lines) + "\n"


def render_json(heading: Mapping[str, str], found: Collection) -> str:
    content = {
        "format": FORMAT,
        **heading,
        "removed": found.removed,
        "files": [asdict(member) for member in found.members],
        "missing": [asdict(missing) for missing in found.missing],
    }
    return json.dumps(content, indent=1) + "\n"
