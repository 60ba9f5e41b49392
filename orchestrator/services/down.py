# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a service is really down: its manager says so, no process of it is left, its ports are closed."""

from collections.abc import Collection, Iterator

from orchestrator.errors import Problem, ServiceFailed
from orchestrator.host import clock, facts
from orchestrator.host.facts import ProcessId
from orchestrator.services.service import Activity, Manager

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5


def why_not_down(manager: Manager, ports: Collection[int], known: Collection[ProcessId]) -> list[str]:
    """Empty when it is down; otherwise sentences for an administrator that name who is left.

    `known`: processes of the service seen before the stop, whatever became of their parents since. A
    service whose manager calls it failed is down once no process of it is left.
    """
    holders = facts.listeners(ports)
    left = {process.pid for process in manager.processes() | set(known) if facts.is_running(process)}
    left -= {holder.pid for holder in holders if holder.pid}
    return [
        *_state(manager),
        *(f"pid {pid} ({facts.command_of(pid)}) still runs" for pid in sorted(left)),
        *(f"port {holder.port} is still open: {describe_holder(holder)}" for holder in holders),
    ]


def _state(manager: Manager) -> Iterator[str]:
    condition = manager.condition()
    if condition.activity is Activity.UNKNOWN:
        yield f"its manager cannot tell: {condition.detail}"
    elif condition.up:
        detail = f" ({condition.detail})" if condition.detail else ""
        yield f"its manager says {condition.activity}{detail}"


def describe_holder(listener: facts.Listener) -> str:
    if listener.pid is None:
        return "by a process that this user may not see"
    return f"pid {listener.pid} ({facts.command_of(listener.pid)})"


def wait_until_down(
    name: str, manager: Manager, ports: Collection[int], known: Collection[ProcessId], timeout: float
) -> None:
    """Return once it is down; raise ServiceFailed with the reasons when it is not within `timeout` seconds.

    At least one look is taken. What dies with its manager's word takes a moment to vanish.
    """
    deadline = clock.monotonic() + timeout
    pause = _FIRST_PAUSE
    while reasons := why_not_down(manager, ports, known):
        if clock.monotonic() >= deadline:
            problems = [Problem(name, reason) for reason in reasons]
            raise ServiceFailed(f"{name} is not down after {timeout:g} s", problems=problems)
        clock.sleep(min(pause, max(0.0, deadline - clock.monotonic())))
        pause = min(pause * 1.2, _LONGEST_PAUSE)
