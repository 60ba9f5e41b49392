# SPDX-License-Identifier: GPL-3.0-or-later
"""`state_dir/motd`: what whoever logs in is to know of an upgrade, in two to four lines; absent when that is nothing.

It is written when something changes, not when somebody logs in: it costs a login nothing, and after a power cut it is
there before any process of ours runs. It is made from the journal and the request alone, so that whoever writes it last
writes what is so. That is why a run under way and one that was just killed have the same text: it holds for both.
"""

import contextlib
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from orchestrator.host import clock, facts, files
from orchestrator.host.files import FileLock
from orchestrator.upgrade.requests import Request, read_request
from orchestrator.upgrade.runs import unfinished_run
from orchestrator.upgrade.runstate import RunState
from orchestrator.upgrade.setting import Setting

FILE_NAME = "motd"
WIDTH = 78
# Between two who write it at the same moment: seconds to wait, and between two looks.
_LOCK, _PATIENCE, _POLL = ".motd.lock", 2.0, 0.01

Command = Callable[[str], str]  # words -> a command line that works with this configuration


def renew(setting: Setting, clean: Callable[[str], str], *, dead: bool = False) -> None:
    """Make the message what it must be now. `dead`: the caller knows that no run is under way. `clean` takes secrets out
    of what services and commands have said: everybody reads this.

    Raises OSError.
    """
    state_dir = setting.config.state_dir
    if not state_dir.is_dir():
        return
    path = state_dir / FILE_NAME
    with _alone(state_dir):
        current = unfinished_run(state_dir)
        state = current[1] if current else None
        text = message(
            setting.config.product.name,
            state,
            read_request(state_dir),
            setting.command,
            clean,
            dead=dead or (state is not None and state.boot != facts.boot_id()),
        ).encode()
        with contextlib.suppress(FileNotFoundError):
            if path.read_bytes() == text:
                return
        if text:
            files.replace_file(path, text)
        elif path.exists():
            path.unlink()
            files.fsync_directory(state_dir)


@contextlib.contextmanager
def _alone(state_dir: Path) -> Iterator[None]:
    """One writer at a time; one that hangs does not keep the others."""
    with FileLock(state_dir / _LOCK) as lock:
        until = clock.monotonic() + _PATIENCE
        while not lock.try_acquire() and clock.monotonic() < until:
            clock.sleep(_POLL)
        yield


def message(
    product: str,
    run: RunState | None,
    request: Request | None,
    command: Command,
    clean: Callable[[str], str],
    *,
    dead: bool,
) -> str:
    """The text; empty when there is nothing to tell. `run`: the newest, if it is unfinished. Pure."""
    if run is not None and run.unfinished:
        lines = _of_run(product, replace(run, stop_reason=clean(run.stop_reason)), command, dead=dead)
    elif request is not None:
        lines = _of_request(product, replace(request, reason=clean(request.reason)), command)
    else:
        return ""
    return "".join(f"{line}\n" for line in lines)


def _of_run(product: str, run: RunState, command: Command, *, dead: bool) -> list[str]:
    number = run.run.partition("-")[0]
    if not run.stop_reason and not dead:
        began = f"An upgrade of {product} began at {_minute(run.started)} (run {number})."
        return [*_fold(began), f"Where it is: {command('status')}"]
    where = f" in phase {run.phase}" if run.phase else ""
    why = f"It stopped{where}: {run.stop_reason}" if run.stop_reason else f"It died{where} without a word."
    return [
        *_fold(f"The upgrade of {product} (run {number}) is not finished.", most=1),
        *_fold(why),
        f"Continue with: {command('upgrade')}",
    ]


def _of_request(product: str, request: Request, command: Command) -> list[str]:
    asked = f"An upgrade of {product} waits since {_minute(request.time)}, asked for by {request.by}"
    return [
        *_fold(f"{asked}: {request.reason}" if request.reason else f"{asked}."),
        f"Run it with: {command('upgrade')}",
    ]


def _fold(text: str, most: int = 2) -> list[str]:
    """At most `most` lines; what is too long is cut."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return textwrap.wrap(plain, WIDTH, max_lines=most, placeholder=" ...")


def _minute(timestamp: str) -> str:
    """`2026-11-20T10:15:00.123Z` -> `2026-11-20 10:15 UTC`."""
    return f"{timestamp[:10]} {timestamp[11:16]} UTC"
