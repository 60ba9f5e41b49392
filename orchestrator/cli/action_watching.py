# SPDX-License-Identifier: GPL-3.0-or-later
"""Who watches the content engine while it works as a step: the step's log, the run's journal, the line of progress."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.host import clock
from orchestrator.upgrade.actions import ActionContext

if TYPE_CHECKING:
    from orchestrator.content.events import Event

# Seconds between two looks at the progress on a screen, and between two lines of it in the step's log.
_SHOWN_EVERY, _LOGGED_EVERY = 0.2, 30.0
# What the run's journal keeps; all else that is said of is in the step's log.
_JOURNALED = (
    "unchanged", "resolved", "fetching", "lost", "changed", "published", "notified", "warning", "shown",
    "exported", "imported",
)  # fmt: skip


class StepWatcher:
    """The engine's events, into the step's log, the run's journal, and the line of progress."""

    def __init__(self, context: ActionContext) -> None:
        self._context = context
        self._shown, self._logged = 0.0, clock.monotonic()

    def __call__(self, event: "Event") -> None:
        from orchestrator.cli.mirror_views import progress_text
        from orchestrator.cli.mirror_wording import describe

        if event.name.value == "progress":
            self._progress(f"{event.source}: {progress_text(event)}")
            return
        line = describe(event)
        if line:
            self._context.say(line.text)
        if event.name.value in _JOURNALED:
            text = line.text if line else f"{event.source}: {event.fields.get('state', event.name.value)}"
            fields = {**_in_short(event.fields), "source": event.source}
            self._context.telling.report(event.name.value, text, fields, lost=event.name.value == "lost")

    def _progress(self, text: str) -> None:
        now = clock.monotonic()
        if now - self._shown >= _SHOWN_EVERY:
            self._shown = now
            self._context.telling.progress(text)
        if now - self._logged >= _LOGGED_EVERY:
            self._logged = now
            self._context.say(text)


def _in_short(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Lists, which may be long and stand in the mirror's own record, as how many they have."""
    short = {key: len(value) if isinstance(value, list) else value for key, value in fields.items()}
    # In an event of a step these words have a meaning of their own.
    return {{"lost": "losses", "text": "said"}.get(key, key): value for key, value in short.items()}
