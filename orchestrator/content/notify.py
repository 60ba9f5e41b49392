# SPDX-License-Identifier: GPL-3.0-or-later
"""A source's own command after a publication: it finds the outcome as a JSON document on its input.

It is told what clients see already. Whatever becomes of it, the mirror is published: a failure is a warning.
"""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from orchestrator.content.events import Name
from orchestrator.content.source import Source
from orchestrator.host.processes import run

TIMEOUT = 60.0


class Teller(Protocol):
    def tell(self, name: Name, source: str, **fields: Any) -> None: ...


def notify(teller: Teller, source: Source, document: Mapping[str, Any]) -> bool:
    """Run the `notify` command of `source`, if it has one, at most TIMEOUT seconds long; whether all is well.

    The event carries `argv`, `exit_code` (124: it was killed, 127: it did not start, negative: a signal) and
    `text`, what to tell people of a failure; empty when there was none.
    """
    if not source.notify:
        return True
    done = run(source.notify, timeout=TIMEOUT, stdin=json.dumps(document, sort_keys=True).encode() + b"\n")
    text = "" if done.ok else f"the notify command of {source.name} failed: {done.last_words()}"
    teller.tell(Name.NOTIFIED, source.name, argv=list(done.argv), exit_code=done.exit_code, text=text)
    return done.ok
