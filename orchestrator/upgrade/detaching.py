# SPDX-License-Identifier: GPL-3.0-or-later
"""Running an upgrade in the background, free of the terminal and the session that it was asked for in.

All that may refuse or ask happens here, in the foreground. Then the same command is started anew, with the consent as
its options: as a service of systemd where root has one, else in a session of its own. It is watched until its first
event is on the disk; what it says goes to `state_dir/detached.log`.
"""

import contextlib
import errno
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import StateUnwritable
from orchestrator.host import clock, facts, files, processes
from orchestrator.upgrade.begin import Dialogue, UpgradeOptions, consent
from orchestrator.upgrade.consent import Answers
from orchestrator.upgrade.journal import read_journal
from orchestrator.upgrade.runs import latest_run
from orchestrator.upgrade.setting import Setting
from orchestrator.upgrade.standing import last_part

LOG, ENVIRONMENT = "detached.log", "detached.env"
_LOOK_EVERY = 0.05


@dataclass(frozen=True, slots=True)
class Detached:
    """A run that goes on in the background. `unit`: of systemd, if it is one."""

    run: str
    pid: int
    unit: str | None
    log: Path


@dataclass(frozen=True, slots=True)
class EndedAtOnce:
    """The background command has ended already: its status, what it said, and the run, if it had begun one."""

    exit_code: int
    words: str
    run: str | None


def detach(
    setting: Setting, options: UpgradeOptions, dialogue: Dialogue, words: Sequence[str]
) -> Detached | EndedAtOnce | None:
    """Ask and refuse as `upgrade` does, then start it in the background; None: there was nothing to do.

    `words` are the options for the background command, without the consent. Raises OrchestratorError as `upgrade`.
    """
    answers = consent(setting, options, dialogue)
    if answers is None:
        return None
    argv = [*processes.own_command(), "upgrade", *words, *_as_options(answers)]
    try:
        return _start(setting, argv)
    except OSError as error:
        raise StateUnwritable(
            f"the upgrade cannot be started in the background: {error.filename or 'sh'}: {error.strerror}",
            hint="nothing was touched",
        ) from None


def _as_options(answers: Answers) -> list[str]:
    accepted = [word for question in answers.accepted for word in ("--accept", question)]
    return [*(["--assumeyes"] if answers.assume_yes else []), *accepted]


def _start(setting: Setting, argv: Sequence[str]) -> Detached | EndedAtOnce:
    """Raises OSError when it cannot be started at all."""
    log = setting.config.state_dir / LOG
    if facts.systemd_runs() and os.geteuid() == 0:
        unit = f"orchestrator-upgrade-{clock.now():%Y%m%dT%H%M%SZ}-{os.getpid()}.service"
        about = f"{setting.config.product.name}: upgrade"
        with _environment_file(setting.config.state_dir) as environment:
            launcher = _in_unit(unit, about, environment)
            found = _until_begun(setting, processes.Background(launcher, argv, log), unit, log)
        if found is not None:
            return found
    found = _until_begun(setting, processes.Background((), argv, log), None, log)
    if found is None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(log))
    return found


@contextlib.contextmanager
def _environment_file(state_dir: Path) -> Iterator[Path]:
    """The environment of the background command for systemd to read (EnvironmentFile= in systemd.exec(5)): the address
    of a proxy may have a password in it, and what a unit is given by other ways everybody may see."""
    path = state_dir / ENVIRONMENT
    given = processes.own_environment().items()
    lines = [f"{name}={_quoted(value)}\n" for name, value in given if "\n" not in value]
    files.replace_file(path, "".join(lines).encode(), mode=0o600, durable=False)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _quoted(value: str) -> str:
    return '"' + re.sub(r'["\\$`]', r"\\\g<0>", value) + '"'


def _in_unit(unit: str, about: str, environment: Path) -> list[str]:
    """systemd-run(1), which waits for the end and takes over the status.

    KillMode=process: what a run has started is not its own (services of the process manager), or outlives it on
    purpose (a step whose runner was killed). After=multi-user.target: in an orderly shutdown the services stay up until
    the step that runs has ended.
    """
    properties = (
        "After=multi-user.target",
        "KillMode=process",
        "TimeoutStopSec=infinity",
        f"EnvironmentFile={environment}",
    )
    return [
        *("systemd-run", "--quiet", "--collect", "--wait", f"--unit={unit}", f"--description={about}"),
        *(f"--property={one}" for one in properties),
        "--",
    ]


def _until_begun(
    setting: Setting, background: processes.Background, unit: str | None, log: Path
) -> Detached | EndedAtOnce | None:
    """Block until it has begun a run, or has ended; None: it was never started."""
    with background:
        while (code := background.poll()) is None:
            if begun := _begun(setting, unit, background.pid):
                return Detached(begun[0], begun[1], unit, log)
            clock.sleep(_LOOK_EVERY)
        if not background.started:
            return None
        begun = _begun(setting, unit, background.pid)
        return EndedAtOnce(code, background.words(), begun[0] if begun else None)


def _begun(setting: Setting, unit: str | None, pid: int) -> tuple[str, int] | None:
    """Run and pid, when the newest one was begun or continued by this unit or process."""
    run = latest_run(setting.config.state_dir)
    latest = last_part(list(read_journal(run.journal))) if run else ()
    if run is None or not latest:
        return None
    begun = latest[0]
    ours = begun.get("unit") == unit if unit else begun.get("pid") == pid
    return (run.id, begun["pid"]) if ours else None
