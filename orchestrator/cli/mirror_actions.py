# SPDX-License-Identifier: GPL-3.0-or-later
"""Mirrors as actions of a YAML step: `mirror.clone`, `mirror.verify`, `mirror.rollback`.

All are safe to repeat: a clone that is done already is a look at the upstream, and a rollback notes in the
step's scratch directory where it began.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.config.quantities import parse_duration
from orchestrator.errors import (
    Busy,
    ExitCode,
    Interrupted,
    Invalid,
    OrchestratorError,
    Problem,
    StepFailed,
)
from orchestrator.host import clock, files
from orchestrator.upgrade.actions import Action, ActionContext

if TYPE_CHECKING:
    from orchestrator import content
    from orchestrator.content.events import Event
    from orchestrator.content.outcome import Outcome

# Seconds between two looks at the progress on a screen, and between two lines of it in the step's log.
_SHOWN_EVERY, _LOGGED_EVERY = 0.2, 30.0
# What the run's journal keeps; all else that is said of is in the step's log.
_JOURNALED = (
    "unchanged", "resolved", "fetching", "lost", "changed", "published", "notified", "warning",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Mirrors:
    """What all three have: the mirrors file, and the names in it (none: all)."""

    config: Path | None = None
    names: tuple[str, ...] = ()
    restarts: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def _whom(self) -> str:
        return ", ".join(self.names) or "all"

    def _load(self, environment: Mapping[str, str]) -> "content.Mirrors":
        from orchestrator import content

        return content.load_mirrors(content.find_mirrors(self.config, environment))

    def refusals(self, environment: Mapping[str, str]) -> Iterable[Problem]:
        """A mirrors file that is not there or has errors, and names that it does not have."""
        try:
            mirrors = self._load(environment)
        except Invalid as error:
            yield from error.problems or (Problem("mirrors", error.message),)
            return
        there = [source.name for source in mirrors.sources]
        for name in self._names_to_check():
            if name not in there:
                nearest = difflib.get_close_matches(name, there, 1, 0.5)
                hint = f"did you mean {nearest[0]}?" if nearest else "known: " + ", ".join(there)
                yield Problem(str(mirrors.path), f"has no source {name}", hint)

    def _names_to_check(self) -> tuple[str, ...]:
        return self.names

    @contextmanager
    def _engine(self, context: ActionContext) -> "Iterator[content.Engine]":
        """The engine, which tells the step's log and the run, and ends in good order at TERM."""
        from orchestrator import content
        from orchestrator.host.signals import Interrupts

        mirrors = self._load(context.environment)
        for note in mirrors.notes:
            context.say(f"note: {note}")
        with (
            Interrupts() as interrupts,
            content.Engine(
                mirrors, watch=_Watcher(context), stop=lambda: interrupts.stop_requested
            ) as engine,
        ):
            yield engine


@dataclass(frozen=True, slots=True)
class Clone(_Mirrors):
    requirements: tuple[str, ...] = ()
    partial: bool = False
    full_check: bool = False
    allow_shrink: bool = False
    allow_stale: bool = False
    strict: bool = False
    wait_lock: float = 0.0

    @property
    def summary(self) -> str:
        return f"mirror.clone: {self._whom}"

    def perform(self, context: ActionContext) -> None:
        from orchestrator import content

        wish = content.Wish(
            requirements=self.requirements,
            partial=self.partial,
            full_check=self.full_check,
            allow_shrink=self.allow_shrink,
            allow_stale=self.allow_stale,
            strict=self.strict,
            wait_lock=self.wait_lock,
        )
        with self._engine(context) as engine:
            outcomes = content.clone(engine, engine.mirrors.sources, self.names, wish)
        _settle(context, outcomes)


def _settle(context: ActionContext, outcomes: "Sequence[Outcome]") -> None:
    """Say what is left to say. Raises what fits the failures, if there are any; losses have been told."""
    from orchestrator import content
    from orchestrator.cli.mirror_wording import summary

    for outcome in outcomes:
        for line in summary(outcome):
            context.say(line.text)
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if not failed:
        return
    whom = ", ".join(outcome.source for outcome in failed)
    kinds: dict[ExitCode, type[OrchestratorError]] = {
        ExitCode.BUSY: Busy,
        ExitCode.INTERRUPTED: Interrupted,
    }
    kind = kinds.get(content.exit_code_of(outcomes), StepFailed)
    raise kind(f"{len(failed)} of {len(outcomes)} mirrors could not be brought up to date: {whom}")


@dataclass(frozen=True, slots=True)
class Verify(_Mirrors):
    repair: bool = False
    full: bool = True

    @property
    def summary(self) -> str:
        return f"mirror.verify: {self._whom}"

    def _names_to_check(self) -> tuple[str, ...]:
        return self.names if self.repair else ()  # a mirror may be there without a source

    def perform(self, context: ActionContext) -> None:
        from orchestrator import content
        from orchestrator.cli.mirror_wording import verified_lines

        bad = []
        with self._engine(context) as engine:
            for name in content.names_of(engine, self.names):
                found = content.verify(engine, name, full=self.full, repair=self.repair)
                lines = [line.text for line in verified_lines(found)]
                for line in lines:
                    context.say(line)
                damaged = len(found.report.damaged)
                fields = {"source": name, "ok": found.ok, "files": found.report.files, "damaged": damaged}
                context.telling.report("verified", lines[0], fields)
                bad += [] if found.ok else [name]
        if bad:
            raise StepFailed(f"damaged mirrors: {', '.join(bad)}")


@dataclass(frozen=True, slots=True)
class Rollback(_Mirrors):
    to: int | None = None

    @property
    def summary(self) -> str:
        return f"mirror.rollback: {self._whom}" + (f" to generation {self.to}" if self.to else "")

    def _names_to_check(self) -> tuple[str, ...]:
        return ()  # a mirror may be there without a source

    def perform(self, context: ActionContext) -> None:
        from orchestrator import content

        name = self.names[0]
        with self._engine(context) as engine:
            current = engine.store(name).current()
            number = current.number if current else 0
            if self.to is None and _began_with(context, name, number) != number:
                context.say(f"{name}: rolled back already, generation {number} is published")
                return
            generation = content.rollback(engine, name, self.to)
        text = f"{name}: generation {generation.number} is published again"
        context.say(text)
        context.telling.report("rolled-back", text, {"source": name, "generation": generation.number})


def _began_with(context: ActionContext, name: str, current: int) -> int:
    """The generation that was published when this step was first tried; noted before anything is changed, so that
    a repeated step does not go back further."""
    note = Path(context.environment["ORCHESTRATOR_SCRATCH_DIR"]) / f"mirror.rollback.{name}.json"
    noted = files.read_json(note)
    if isinstance(noted, int):
        return noted
    files.replace_json(note, current)
    return current


class _Watcher:
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
            text = line.text if line else ""
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


# From a step's file ---------------------------------------------------------------------------------

_Reader = Callable[[Any], Any]


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("takes true or false")
    return value


def _word(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("takes a text; put quotes around yes, no, dates and numbers")
    return value


def _words(value: Any) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not items:
        raise ValueError("takes a text, or a list of texts")
    return tuple(map(_word, items))


def _path(value: Any) -> Path:
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError("takes an absolute path")
    return Path(value)


def _number(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ValueError("takes the number of a generation")
    return value


_COMMON: Mapping[str, _Reader] = {"config": _path, "names": _words}
_CLONE: Mapping[str, _Reader] = {
    **_COMMON,
    "requirements": _words,
    "partial": _flag,
    "full_check": _flag,
    "allow_shrink": _flag,
    "allow_stale": _flag,
    "strict": _flag,
    "wait_lock": parse_duration,
}
_VERIFY: Mapping[str, _Reader] = {**_COMMON, "repair": _flag, "full": _flag}
_ROLLBACK: Mapping[str, _Reader] = {"config": _path, "name": _word, "to": _number}


def parse_clone(value: Any) -> Action:
    """Raises ValueError, as the others do."""
    return Clone(**_read(value, _CLONE, "names"))


def parse_verify(value: Any) -> Action:
    return Verify(**_read(value, _VERIFY, "names"))


def parse_rollback(value: Any) -> Action:
    fields = _read(value, _ROLLBACK, "name")
    if "name" not in fields:
        raise ValueError("takes the name of a mirror, or {name: NAME, to: NUMBER}")
    return Rollback(names=(fields.pop("name"),), **fields)


def _read(value: Any, readers: Mapping[str, _Reader], bare: str) -> dict[str, Any]:
    """The parameters in `value`, which may be that of the key `bare` alone, or nothing. Raises ValueError."""
    if value is None:
        value = {}
    if not isinstance(value, dict):
        value = {bare: value}
    fields = {}
    for key, raw in value.items():
        if key not in readers:
            nearest = difflib.get_close_matches(str(key), readers, 1, 0.5)
            known = f"did you mean {nearest[0]}?" if nearest else "known: " + ", ".join(readers)
            raise ValueError(f"unknown key {key} ({known})")
        try:
            fields[key] = readers[key](raw)
        except ValueError as error:
            raise ValueError(f"{key} {error}") from None
    return fields
