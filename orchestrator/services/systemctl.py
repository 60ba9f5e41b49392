# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions and orders to systemd, and keeping a unit masked until the next boot."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from orchestrator.errors import ServiceFailed
from orchestrator.host import files, processes

# Searched before /etc/systemd/system, where the links of `systemctl mask --runtime` are without effect.
HOLDS = Path("/run/systemd/system.control")
_BLOCK = b"[Unit]\nAssertPathExists=/run/orchestrator/no-such-file\n"


def show(unit: str, *properties: str) -> dict[str, str]:
    """Properties of a unit; one that systemd does not know is missing, one with several values has a line for each.
    Raises ServiceFailed."""
    names = ",".join(properties)
    shown = processes.run(["systemctl", "show", "--no-pager", f"--property={names}", "--", unit])
    if not shown.ok:
        raise ServiceFailed(f"systemd cannot be asked about {unit}: {shown.last_words()}")
    found: dict[str, str] = {}
    for line in shown.stdout.splitlines():
        key, _, value = line.partition("=")
        found[key] = f"{found[key]}\n{value}" if key in found else value
    return found


def order(verb: str, *arguments: str, timeout: float = 90.0) -> None:
    """Have systemctl do it. Raises ServiceFailed with its words; what was ordered may go on after `timeout`."""
    done = processes.run(["systemctl", verb, *arguments], timeout=timeout)
    if done.ok:
        return
    units = [argument for argument in arguments if not argument.startswith("-")]
    what = " ".join(["systemctl", verb, *units])
    if done.exit_code == processes.TIMED_OUT:
        raise ServiceFailed(f"{what} did not end within {timeout:.3g} s; systemd goes on with it")
    raise ServiceFailed(f"{what} failed: {done.last_words()}", hint=f"systemctl status {' '.join(units)}")


# Masks --------------------------------------------------------------------------------------------


def is_touched(unit: str) -> bool:
    """Whether `mask` or `block` was here, in force or not."""
    return _link(unit).is_symlink() or _drop_in(unit).exists()


def is_masked(unit: str) -> bool:
    """Whether our mask is in force: it exists, and systemd has read it."""
    return _link(unit).is_symlink() and show(unit, "LoadState")["LoadState"] == "masked"


def mask(units: Sequence[str]) -> None:
    """Nobody can start them. They lose their ExecStop= as well: what runs is to be stopped before.

    Raises ServiceFailed.
    """
    with _changing(units):
        files.make_directory(HOLDS)
        for unit in units:
            if not _link(unit).is_symlink():
                _link(unit).symlink_to(os.devnull)
    for unit in units:
        if not is_masked(unit):
            state = show(unit, "LoadState")["LoadState"]
            raise ServiceFailed(f"cannot hold {unit} down: systemd says {state} in spite of {_link(unit)}")


def block(units: Sequence[str]) -> None:
    """Instead of `mask`: nobody can start them, and what runs can still be stopped properly.

    A condition that fails. Not a hold for long: its file is easily taken for a part of the unit. Raises
    ServiceFailed.
    """
    with _changing(units):
        for unit in units:
            files.make_directory(_drop_in(unit).parent)
            files.replace_file(_drop_in(unit), _BLOCK, durable=False)
            _link(unit).unlink(missing_ok=True)


def unblock(units: Sequence[str]) -> None:
    """Take the block away; systemd reads it with the next change."""
    for unit in units:
        _drop_in(unit).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            _drop_in(unit).parent.rmdir()


def unmask(units: Sequence[str]) -> None:
    """Undo `mask` and `block`, and nothing that others did. Raises ServiceFailed."""
    with _changing(units):
        unblock(units)
        for unit in units:
            _link(unit).unlink(missing_ok=True)


@contextlib.contextmanager
def _changing(units: Sequence[str]) -> Iterator[None]:
    """A change of files in HOLDS, which systemd reads at the end of it."""
    try:
        yield
    except OSError as error:
        what = f"{error.strerror}: {error.filename}"
        raise ServiceFailed(f"cannot mask or unmask {', '.join(units)}: {what}") from None
    order("daemon-reload")


def _link(unit: str) -> Path:
    return HOLDS / unit


def _drop_in(unit: str) -> Path:
    return HOLDS / f"{unit}.d" / "orchestrator.conf"
