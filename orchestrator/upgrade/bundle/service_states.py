# SPDX-License-Identifier: GPL-3.0-or-later
"""How the services are: what managers and probes say, each within a time, and who has their ports."""

import json
import threading
from typing import TYPE_CHECKING, Any

from orchestrator.host import clock, facts
from orchestrator.upgrade.setting import Setting

if TYPE_CHECKING:
    from orchestrator.services.controlled import ControlledService

_SECONDS = 20.0


def describe_services(setting: Setting) -> str:
    """A JSON document; a service that does not answer is named as such."""
    services = setting.services()
    found: dict[str, dict[str, Any]] = {}
    # Daemons: a probe that hangs must not keep the program from ending.
    threads = {
        name: threading.Thread(target=_look, args=(service, found), daemon=True)
        for name, service in services.items()
    }
    for thread in threads.values():
        thread.start()
    until = clock.monotonic() + _SECONDS
    for thread in threads.values():
        thread.join(max(0.0, until - clock.monotonic()))
    silent = {"problem": f"no answer within {_SECONDS:g} s"}
    content = {name: found.get(name, silent) for name in services}
    ports = {port for spec in setting.config.services.values() for port in spec.ports}
    return json.dumps({"services": content, "ports": _ports(ports)}, indent=1) + "\n"


def _look(service: "ControlledService", found: dict[str, dict[str, Any]]) -> None:
    about: dict[str, Any] = {"tier": service.spec.tier, "manager": service.spec.manager}
    try:
        condition, verdict = service.manager.condition(), service.readiness()
        about |= {
            "state": condition.activity.value,
            "detail": condition.detail,
            "enabled": service.manager.enabled(),
            "held": service.manager.held(),
            "readiness": verdict.readiness.value,
            "reason": verdict.reason,
        }
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what support wants to know
        about["problem"] = f"{type(error).__name__}: {error}"
    found[service.name] = about


def _ports(ports: set[int]) -> list[dict[str, Any]]:
    return [
        {"port": one.port, "pid": one.pid, "command": facts.command_of(one.pid) if one.pid else None}
        for one in facts.listeners(ports)
    ]
