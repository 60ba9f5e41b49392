# SPDX-License-Identifier: GPL-3.0-or-later
"""Mirrors as actions of a YAML step: `mirror.clone`, `mirror.verify`, `mirror.rollback`.

All are safe to repeat: a clone that is done already is a look at the upstream, and a rollback notes in the
step's scratch directory where it began.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.action_keys import Reader, a_flag, a_number, a_path, a_word, read_keys, some_words
from orchestrator.cli.action_watching import StepWatcher
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
from orchestrator.host import files
from orchestrator.upgrade.actions import Action, ActionContext

if TYPE_CHECKING:
    from orchestrator import content
    from orchestrator.content.outcome import Outcome


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
                mirrors, watch=StepWatcher(context), stop=lambda: interrupts.stop_requested
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
        settle(context, outcomes, "mirrors")


def settle(context: ActionContext, outcomes: "Sequence[Outcome]", what: str) -> None:
    """Say what is left to say of clones. Raises what fits the failures, if there are any; losses have been told."""
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
    raise kind(f"{len(failed)} of {len(outcomes)} {what} could not be brought up to date: {whom}")


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


# From a step's file ---------------------------------------------------------------------------------

_COMMON: Mapping[str, Reader] = {"config": a_path, "names": some_words}
_CLONE: Mapping[str, Reader] = {
    **_COMMON,
    "requirements": some_words,
    "partial": a_flag,
    "full_check": a_flag,
    "allow_shrink": a_flag,
    "allow_stale": a_flag,
    "strict": a_flag,
    "wait_lock": parse_duration,
}
_VERIFY: Mapping[str, Reader] = {**_COMMON, "repair": a_flag, "full": a_flag}
_ROLLBACK: Mapping[str, Reader] = {"config": a_path, "name": a_word, "to": a_number}


def parse_clone(value: Any) -> Action:
    """Raises ValueError, as the others do."""
    return Clone(**read_keys(value, _CLONE, "names"))


def parse_verify(value: Any) -> Action:
    return Verify(**read_keys(value, _VERIFY, "names"))


def parse_rollback(value: Any) -> Action:
    fields = read_keys(value, _ROLLBACK, "name")
    if "name" not in fields:
        raise ValueError("takes the name of a mirror, or {name: NAME, to: NUMBER}")
    return Rollback(names=(fields.pop("name"),), **fields)
