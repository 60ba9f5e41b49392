# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator services ...`: the same stopping, starting and waiting as in an upgrade, by hand."""

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import (
    ConfigOption,
    Output,
    OutputOption,
    WaitLockOption,
    read_setting,
    seconds_of,
    tell_waiting,
)
from orchestrator.config.quantities import show_duration
from orchestrator.errors import UsageError
from orchestrator.upgrade.setting import Setting

if TYPE_CHECKING:
    from orchestrator.services.controlled import ControlledService

app = typer.Typer(no_args_is_help=True, help="List, start, stop and wait for the configured services.")

NamesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="SERVICE", help="Names; all services without.", show_default=False),
]


@app.command("list")
def list_all(config: ConfigOption = None, output: OutputOption = Output.AUTO) -> None:
    """List the services: what their managers and probes say."""
    from concurrent.futures import ThreadPoolExecutor

    from orchestrator.cli.terminal import show_json, show_table

    services = read_setting(config).services()
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(_row, services.values()))
    if output is Output.JSON:
        keys = ("service", "tier", "manager", "state", "detail", "enabled", "held", "readiness", "reason")
        show_json([dict(zip(keys, row, strict=True)) for row in rows])
    elif not rows:
        typer.echo("No services are configured.")
    else:
        shown = [
            (r[0], r[1], r[2], r[3], r[7], _remarks(r[5], r[6], r[8] or _news(r[4], r[3]))) for r in rows
        ]
        show_table(("service", "tier", "manager", "state", "readiness", "remarks"), shown, output)


def _row(service: "ControlledService") -> tuple[str, str, str, str, str, bool, bool, str, str]:
    condition = service.manager.condition()
    verdict = service.readiness()
    spec = service.spec
    return (
        service.name,
        spec.tier,
        spec.manager,
        condition.activity.value,
        condition.detail,
        service.manager.enabled(),
        service.manager.held(),
        verdict.readiness.value,
        verdict.reason,
    )


def _news(detail: str, state: str) -> str:
    """What a manager says of a service, unless that is its state once more."""
    return "" if detail == state else detail


def _remarks(enabled: bool, held: bool, reason: str) -> str:
    marks = [*(["held"] if held else []), *([] if enabled else ["disabled"]), *([reason] if reason else [])]
    return ", ".join(marks)


def _chosen(setting: Setting, names: list[str] | None) -> "dict[str, ControlledService]":
    services = setting.services()
    unknown = [name for name in names or () if name not in services]
    if unknown:
        raise UsageError(
            f"no service {', '.join(unknown)}", hint=f"configured: {', '.join(services) or 'none'}"
        )
    return {name: services[name] for name in names or services}


@app.command()
def start(names: NamesArgument = None, wait_lock: WaitLockOption = "", config: ConfigOption = None) -> None:
    """Start services in order and wait until each is ready."""
    from orchestrator.services.parallel import run_in_order
    from orchestrator.upgrade import lock
    from orchestrator.upgrade.preflight import make_state_directory
    from orchestrator.upgrade.targets import dependencies

    setting = read_setting(config)
    services = _chosen(setting, names)
    make_state_directory(setting.config)

    def begin(name: str) -> None:
        if not services[name].external:
            services[name].manager.release()
            services[name].start()
        typer.echo(f"{name} is ready ({show_duration(services[name].wait_ready())})")

    state_dir, seconds = setting.config.state_dir, seconds_of(wait_lock)
    with lock.acquire(state_dir, purpose="services start", wait=seconds, waiting=tell_waiting):
        run_in_order(dependencies(services, setting.config.services), begin)


@app.command()
def stop(names: NamesArgument = None, wait_lock: WaitLockOption = "", config: ConfigOption = None) -> None:
    """Stop services in reverse order and verify that they are down."""
    from orchestrator.services.order import reversed_prerequisites
    from orchestrator.services.parallel import run_in_order
    from orchestrator.upgrade import lock
    from orchestrator.upgrade.preflight import make_state_directory
    from orchestrator.upgrade.targets import dependencies

    setting = read_setting(config)
    services = {name: service for name, service in _chosen(setting, names).items() if not service.external}
    make_state_directory(setting.config)

    def end(name: str) -> None:
        known = services[name].stop()
        services[name].verify_down(known, services[name].spec.stop_timeout)
        typer.echo(f"{name} is down")

    state_dir, seconds = setting.config.state_dir, seconds_of(wait_lock)
    with lock.acquire(state_dir, purpose="services stop", wait=seconds, waiting=tell_waiting):
        run_in_order(reversed_prerequisites(dependencies(services, setting.config.services)), end)


@app.command()
def wait(names: NamesArgument = None, config: ConfigOption = None) -> None:
    """Wait until services are ready; exit 5 when one does not become so."""
    from orchestrator.services.parallel import run_in_order

    services = _chosen(read_setting(config), names)

    def until_ready(name: str) -> None:
        typer.echo(f"{name} is ready ({show_duration(services[name].wait_ready())})")

    run_in_order({name: set() for name in services}, until_ready)
