# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator status`: is a run under way, where is it, when will it end, may it be stopped; what is unfinished."""

from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import typer

from orchestrator.cli.options import ConfigOption, Output, OutputOption, read_setting
from orchestrator.host import facts
from orchestrator.upgrade.setting import Setting
from orchestrator.upgrade.standing import Condition, Standing, read_standing

if TYPE_CHECKING:
    from orchestrator.cli.outlook import Left
    from orchestrator.upgrade.reporter import Progress

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True)
class Stop:
    """What a request to stop would do now. `safe`: the step that runs does not say that it must not be interrupted;
    `when`: `now` (nothing was stopped or changed yet), `after-step`, `after-services`, or `asked` already; `command`
    asks, and so does Ctrl-C, if it runs at a `terminal`."""

    safe: bool
    when: str
    command: str
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """`state` is idle, running, unfinished, or never (no run yet). Seconds; times in RFC 3339. `left`: to the expected
    end, None when nothing is known; `left_at_least`: of some steps nothing is."""

    state: str
    run: str | None = None
    holder: dict[str, Any] | None = None
    progress: dict[str, Any] | None = None
    phase: str | None = None
    reason: str = ""
    failed: tuple[str, ...] = ()
    in_flight: str | None = None
    debts: tuple[str, ...] = ()
    outcome: str | None = None
    exit_code: int | None = None
    ended: str | None = None
    next: str | None = None
    since: str | None = None
    elapsed: float | None = None
    left: float | None = None
    left_at_least: bool = False
    end: str | None = None
    steps: int = 0
    steps_done: int = 0
    far_over: bool = False
    services: dict[str, str] = field(default_factory=dict)
    stop: Stop | None = None
    user: str | None = None
    invoker: str | None = None
    pid: int | None = None
    unit: str | None = None
    request: dict[str, Any] | None = None


@app.command()
def status(config: ConfigOption = None, output: OutputOption = Output.AUTO) -> None:
    """Tell at once what runs now and how far it is, what is unfinished or waits, and which command goes on."""
    from orchestrator.cli.terminal import show_json

    setting = read_setting(config)
    found = assemble(setting, read_standing(setting.config.state_dir))
    if output is Output.JSON:
        show_json(asdict(found))
    else:
        show(found)


def show(found: Status) -> None:
    from orchestrator.cli.status_view import status_lines
    from orchestrator.cli.terminal import say

    say(status_lines(found))


def assemble(setting: Setting, standing: Standing) -> Status:
    """What is told of `standing`."""
    state = standing.state
    request = _request(setting, standing)
    common: dict[str, Any] = {
        "state": standing.condition.value,
        "run": standing.run.id if standing.run else None,
        "outcome": state.outcome,
        "exit_code": state.exit_code,
        "ended": state.ended or None,
        "services": standing.services,
        "user": state.user or None,
        "invoker": state.invoker or None,
        "request": request,
    }
    match standing.condition:
        case Condition.RUNNING:
            return Status(**common, **_running(standing))
        case Condition.UNFINISHED:
            return Status(
                **common,
                phase=state.phase,
                reason=state.stop_reason,
                failed=tuple(attempt.step for attempt in state.failures),
                in_flight=state.in_flight.step if state.in_flight else None,
                debts=tuple(sorted(state.debts)),
                next=setting.command("upgrade"),
            )
        case Condition.IDLE:
            return Status(**common, next=setting.command("upgrade") if request else None)
    return Status(**common, next=setting.command("upgrade"))


def _request(setting: Setting, standing: Standing) -> dict[str, Any] | None:
    """As it was left, but for `at_boot`: whether the next boot would run it, as everything is now."""
    if standing.request is None:
        return None
    from orchestrator.upgrade.boot_hook import runs_at_next_boot

    at_boot = runs_at_next_boot(setting.config, standing.state, standing.request)
    return {**asdict(standing.request), "at_boot": at_boot}


def _running(standing: Standing) -> dict[str, Any]:
    from orchestrator.cli.heartbeat import far_over
    from orchestrator.cli.outlook import Outlook
    from orchestrator.upgrade.following import step_progress

    if standing.run is None or standing.begun is None:
        return {"holder": standing.holder}
    outlook = Outlook(standing.run.saved_plan())
    for event in standing.events:
        outlook.follow(event)
    step = step_progress(standing.running, standing.progress, standing.now) if standing.running else None
    progress = step or standing.service_progress
    left = None if standing.end else outlook.left(step)
    begun = standing.begun
    return {
        "holder": standing.holder,
        "progress": _rounded(progress) if progress else None,
        "phase": standing.state.phase,
        "debts": tuple(sorted(standing.state.debts)),
        "in_flight": step.step if step else None,
        "since": begun.time,
        "elapsed": round(max(0.0, standing.now - begun.mono), 3),
        "steps": outlook.total,
        "steps_done": outlook.done,
        "far_over": step is not None and far_over(step.elapsed, step.expected),
        "stop": _stop(standing, unsafe=step is not None and step.unsafe),
        "pid": begun.get("pid"),
        "unit": begun.get("unit"),
        **_expected_end(left),
    }


def _rounded(progress: "Progress") -> dict[str, Any]:
    fields = asdict(progress).items()
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in fields}


def _expected_end(left: "Left | None") -> dict[str, Any]:
    from orchestrator.host import clock

    if left is None:
        return {}
    end = clock.now() + timedelta(seconds=left.seconds)
    return {
        "left": round(left.seconds, 3),
        "left_at_least": left.at_least,
        "end": f"{end:%Y-%m-%dT%H:%M:%SZ}",
    }


def _stop(standing: Standing, *, unsafe: bool) -> Stop | None:
    if standing.end is not None or standing.begun is None:
        return None
    unit, pid = standing.begun.get("unit"), standing.begun.get("pid")
    when = "after-step" if standing.running else "after-services"
    if not standing.state.touched:
        when = "now"
    if standing.asked_to_stop:
        when = "asked"
    if unit and unit.startswith(
        "orchestrator-"
    ):  # with KillMode=process: another one's stop could end the step
        return Stop(not unsafe, when, f"systemctl stop {unit}")
    return Stop(not unsafe, when, f"kill -TERM {pid}", facts.has_terminal(pid or 0))
