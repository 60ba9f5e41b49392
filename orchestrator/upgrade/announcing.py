# SPDX-License-Identifier: GPL-3.0-or-later
"""Telling the world beyond the terminal how an upgrade stands: the message of the day, and the commands of `notify:`.

Neither can stop an upgrade: what goes wrong here is a note in the journal.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

from orchestrator.errors import OrchestratorError
from orchestrator.host import facts, files
from orchestrator.upgrade import lock, motd, notice, notifying
from orchestrator.upgrade.journal import read_journal
from orchestrator.upgrade.notice import Moment, Past
from orchestrator.upgrade.notifying import Teller
from orchestrator.upgrade.requests import Request, read_request
from orchestrator.upgrade.runs import RunDirectory, latest_run
from orchestrator.upgrade.runstate import fold
from orchestrator.upgrade.setting import Setting

if TYPE_CHECKING:
    from orchestrator.upgrade.bundle.redaction import Redactor
    from orchestrator.upgrade.context import RunContext

# In the state directory: the request that was told of last.
_TOLD_REQUEST = "notified.json"


@contextlib.contextmanager
def announcing(setting: Setting, context: "RunContext") -> Iterator[None]:
    """Around the execution of a run: its start, and its end or failure."""
    note = partial(_note, context)
    teller = Teller(setting.config.notify, note)
    error: BaseException | None = None
    _renew(setting, note)
    try:
        _tell_start(setting, context, teller)
        yield
    except BaseException as failure:
        error = failure
        raise
    finally:
        _renew(setting, note)
        presses = context.interrupts.presses
        _tell_end(setting, context, teller, error)
        teller.leave(give_up=lambda: context.interrupts.presses > presses)


def announce_pending(setting: Setting, request: Request) -> tuple[str, ...]:
    """An upgrade was asked for and waits. What went wrong in telling so, a line each."""
    problems: list[str] = []
    _renew(setting, problems.append)
    if setting.config.notify:
        document = notice.of_request(setting, request, _cleaner(setting))
        problems += _deliver_pending(setting, request, document)
    return tuple(problems)


def renew_message(setting: Setting) -> tuple[str, ...]:
    """A request has come or gone of which nobody need be told. What went wrong, a line each."""
    problems: list[str] = []
    _renew(setting, problems.append)
    return tuple(problems)


def announce_recovery(setting: Setting, context: "RunContext") -> None:
    """What a run owed is paid; it is unfinished still."""
    _renew(setting, partial(_note, context), dead=True)


def announce_boot(setting: Setting) -> tuple[str, ...]:
    """After a boot: the message as it is now, and what nobody could be told before the host went down. A process that
    has gone on with the run by now tells of its death itself; one that has not come so far does not keep us from it."""
    problems: list[str] = []
    busy = lock.is_held(setting.config.state_dir)
    _renew(setting, problems.append, dead=not busy)
    if not setting.config.notify:
        return tuple(problems)
    if (run := latest_run(setting.config.state_dir)) and not (busy and _is_at_it(setting, run)):
        teller = Teller(setting.config.notify, problems.append)
        _tell_untold(setting, run, teller, well=True)
        teller.leave(give_up=lambda: False)
    request = None if busy else read_request(setting.config.state_dir)
    told = files.read_json(setting.config.state_dir / _TOLD_REQUEST)
    if request and (told.get("request") if isinstance(told, dict) else None) != request.id:
        document = notice.of_request(setting, request, _cleaner(setting))
        problems += _deliver_pending(setting, request, {**document, "late": True}, well=True)
    return tuple(problems)


def _is_at_it(setting: Setting, run: RunDirectory) -> bool:
    """Whether who holds the lock has begun the run, or gone on with it, since the boot."""
    state = run.state()
    return state.boot == facts.boot_id() and state.pid == lock.read_holder(setting.config.state_dir).get(
        "pid"
    )


def _renew(setting: Setting, note: Callable[[str], None], *, dead: bool = False) -> None:
    try:
        motd.renew(setting, _cleaner(setting), dead=dead)
    except OSError as error:
        note(f"the message of the day: {error.filename or motd.FILE_NAME}: {error.strerror}")


def _note(context: "RunContext", text: str) -> None:
    with contextlib.suppress(OrchestratorError):  # where no note can be written, the run itself says so
        context.note(text)


def _cleaner(setting: Setting) -> Callable[[str], str]:
    """Removes secrets from a text; made when there is a text, not before the first stop."""

    @cache
    def redactor() -> "Redactor":
        from orchestrator.upgrade.bundle import known
        from orchestrator.upgrade.bundle.redaction import Redactor
        from orchestrator.upgrade.bundle.subject import read_document

        return Redactor(set(known.of_document(read_document(setting.path), setting.path.parent)))

    return lambda text: redactor().redact(text)[0] if text else ""


# Of a run ---------------------------------------------------------------------------------------------


def _tell_start(setting: Setting, context: "RunContext", teller: Teller) -> None:
    if not setting.config.notify:
        return
    run = context.directory
    with contextlib.suppress(OSError):  # what is not recorded now is not told late; the thread notes why
        notifying.record_told(run.path)
    past = notice.attempts(read_journal(run.journal))[-1]
    if context.state.continued:
        _tell_untold(setting, run, teller, before=past.seq)
    elif before := _before(run):
        _tell_untold(setting, before, teller)
    _tell(setting, run, teller, replace(past, moment=Moment.START, died=False))


def _tell_end(setting: Setting, context: "RunContext", teller: Teller, error: BaseException | None) -> None:
    if not setting.config.notify:
        return
    past = notice.attempts(read_journal(context.directory.journal))[-1]
    if isinstance(error, OrchestratorError):
        past = replace(past, died=False, reason=error.message, exit_code=int(error.exit_code))
    elif error is not None:
        past = replace(past, reason=f"a defect: {str(error) or type(error).__name__}")
    _tell(setting, context.directory, teller, past)


def _tell_untold(
    setting: Setting, run: RunDirectory, teller: Teller, *, before: int | None = None, well: bool = False
) -> None:
    """How the run, or its attempt before the event `before`, went, if nobody has heard of it (`well`: with success)."""
    events = [event for event in read_journal(run.journal) if before is None or event.seq < before]
    past = notifying.untold(run.path, notice.attempts(events))
    if past is not None:
        document = notice.of_run(setting, run, fold(events), past, _cleaner(setting))
        teller.tell({**document, "late": True}, partial(notifying.record_told, run.path, past), well=well)


def _tell(setting: Setting, run: RunDirectory, teller: Teller, past: Past) -> None:
    document = notice.of_run(setting, run, run.state(), past, _cleaner(setting))
    teller.tell(document, partial(notifying.record_told, run.path, past))


def _before(run: RunDirectory) -> RunDirectory | None:
    """The run before this one."""
    return next(map(RunDirectory, run.path.parent.glob(f"{run.number - 1:04}-*")), None)


# Of a request -----------------------------------------------------------------------------------------


def _deliver_pending(
    setting: Setting, request: Request, document: dict[str, object], *, well: bool = False
) -> list[str]:
    problems = notifying.deliver(setting.config.notify, document)
    if problems and well:
        return problems
    try:
        files.replace_json(setting.config.state_dir / _TOLD_REQUEST, {"format": 1, "request": request.id})
    except OSError as error:
        problems.append(f"notify: {error.filename}: {error.strerror}")
    return problems
