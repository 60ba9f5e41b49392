# SPDX-License-Identifier: GPL-3.0-or-later
"""The program, with a list left of all that it imported after the first event of its run.

python -m tests.support.import_watch LIST upgrade -y ...
"""

import atexit
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from orchestrator.cli import app
from orchestrator.upgrade.journal import Event, EventName, Journal

_write = Journal.write


def main() -> None:
    found = Path(sys.argv.pop(1))
    before: set[str] = set()

    def write(journal: Journal, name: EventName, **fields: Any) -> Event:
        if name in (EventName.RUN_STARTED, EventName.RUN_CONTINUED):
            before.update(sys.modules)
        return _write(journal, name, **fields)

    def tell() -> None:
        later = sys.modules.keys() - before if before else {"no run has begun"}
        found.write_text("".join(f"{name}\n" for name in sorted(later) if not _of_python(name)))

    mock.patch.object(Journal, "write", write).start()
    atexit.register(tell)
    app.main()


def _of_python(name: str) -> bool:
    return name.partition(".")[0] in sys.stdlib_module_names


if __name__ == "__main__":
    main()
