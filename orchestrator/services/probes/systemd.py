# SPDX-License-Identifier: GPL-3.0-or-later
"""`systemd`: a unit is active. With Type=notify this is the service's own word that it is ready."""

from collections.abc import Mapping

from orchestrator.config import model
from orchestrator.host import processes
from orchestrator.services.service import READY, Marks, Readiness, Verdict, starting

_PROPERTIES = ("LoadState", "ActiveState", "SubState", "Result", "StatusText", "NRestarts")


class Systemd:
    def __init__(self, spec: model.SystemdProbe, systemctl: str = "systemctl") -> None:
        self._spec = spec
        self._argv = (systemctl, "show", f"--property={','.join(_PROPERTIES)}", "--", spec.unit)

    def ask(self, marks: Marks) -> Verdict:  # noqa: ARG002
        done = processes.run(self._argv, timeout=self._spec.timeout)
        if not done.ok:
            return starting(f"{self._spec.unit}: systemctl show: {done.last_words()}")
        properties = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
        return judge(self._spec.unit, properties)


def judge(unit: str, properties: Mapping[str, str]) -> Verdict:
    """What the properties of a unit mean. Pure."""
    load, active, sub = (properties.get(name, "") for name in ("LoadState", "ActiveState", "SubState"))
    match active:
        case "active":
            return READY
        case "failed":
            reason = f"failed ({properties.get('Result', 'unknown')})"
            return Verdict(Readiness.FAILED, f"{unit}: {reason}{_history(properties)}")
        case "inactive":
            reason = "inactive" if load == "loaded" else f"inactive, and its unit file is {load}"
            return Verdict(Readiness.GONE, f"{unit}: {reason}")
    reason = f"{active} ({sub})" if active else "systemctl show told no ActiveState"
    return starting(f"{unit}: {reason}{_history(properties)}")


def _history(properties: Mapping[str, str]) -> str:
    """How often systemd started it again, and the last words the service sent to systemd."""
    restarts, status = properties.get("NRestarts", ""), properties.get("StatusText", "")
    text = f", restarts: {restarts}" if restarts not in ("", "0") else ""
    return f"{text}, its status: {status}" if status else text
