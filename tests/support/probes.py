# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes from the words of a configuration, and what they answer."""

from typing import Any

from pydantic import TypeAdapter

from orchestrator.config import model
from orchestrator.services.probes import make_probe
from orchestrator.services.service import Marks, Probe, Readiness, Verdict

_SPECS: TypeAdapter[model.AnyProbe] = TypeAdapter(model.ProbeSpec)
NO_MARKS = Marks()


def spec_of(written: dict[str, Any]) -> model.AnyProbe:
    """The model of one entry of `ready:`."""
    return _SPECS.validate_python(written)


def probe_of(written: dict[str, Any]) -> Probe:
    return make_probe(spec_of(written))


def ask(written: dict[str, Any], marks: Marks = NO_MARKS) -> Verdict:
    """What the probe that is so written answers now."""
    return probe_of(written).ask(marks)


def is_ready(probe: Probe, marks: Marks = NO_MARKS) -> bool:
    return probe.ask(marks).readiness is Readiness.READY
