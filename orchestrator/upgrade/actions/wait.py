# SPDX-License-Identifier: GPL-3.0-or-later
"""`wait: NAME`, `wait: {services: [NAME, ...]}` or `wait: {probe: {tcp: ...}, timeout: 5m}`."""

from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from orchestrator.config.model import AnyProbe, ProbeSpec
from orchestrator.config.quantities import parse_duration
from orchestrator.upgrade.actions import Action, ActionContext, names_of

DEFAULT_TIMEOUT = 300.0


@dataclass(frozen=True, slots=True)
class WaitForServices:
    needs: tuple[str, ...]
    restarts: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        return "wait: " + ", ".join(self.needs)

    def perform(self, context: ActionContext) -> None:
        for name in self.needs:
            seconds = context.services[name].wait_ready(lambda: False, lambda _: None)
            context.say(f"{name} is ready after {seconds:.1f} s")


@dataclass(frozen=True, slots=True)
class WaitForProbe:
    probe: AnyProbe
    timeout: float = DEFAULT_TIMEOUT
    needs: tuple[str, ...] = ()
    restarts: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        return f"wait: {self.probe.kind} probe"

    def perform(self, context: ActionContext) -> None:
        from orchestrator.services.readiness import wait_for_probe

        seconds = wait_for_probe(self.probe, self.timeout)
        context.say(f"{self.probe.kind} probe passed after {seconds:.1f} s")


def parse(value: Any) -> Action:
    if not isinstance(value, dict):
        return WaitForServices(names_of(value))
    if set(value) == {"services"}:
        return WaitForServices(names_of(value["services"]))
    if not {"probe"} <= set(value) <= {"probe", "timeout"}:
        raise ValueError("takes services, or {services: [...]}, or {probe: {...}, timeout: 5m}")
    try:
        probe: AnyProbe = TypeAdapter(ProbeSpec).validate_python(value["probe"])
    except ValidationError as error:
        raise ValueError("probe: " + "; ".join(item["msg"] for item in error.errors())) from None
    return WaitForProbe(probe, parse_duration(value.get("timeout", DEFAULT_TIMEOUT)))
