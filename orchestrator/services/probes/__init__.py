# SPDX-License-Identifier: GPL-3.0-or-later
"""Readiness probes, one file each: a small class that asks one kind of server whether it is ready.

Kinds are imported when a configuration uses them. A new kind is a model in `config/model.py`, a file
here, and a case below.
"""

from typing import assert_never

from orchestrator.config import model
from orchestrator.services.service import Probe


def make_probe(spec: model.AnyProbe) -> Probe:
    """The probe that the configuration describes."""
    made: Probe
    match spec:
        case model.TcpProbe():
            from orchestrator.services.probes.tcp import Tcp

            made = Tcp(spec)
        case model.UnixProbe():
            from orchestrator.services.probes.unix import Unix

            made = Unix(spec)
        case model.HttpProbe():
            from orchestrator.services.probes.http import Http

            made = Http(spec)
        case model.ExecProbe():
            from orchestrator.services.probes.exec import Exec

            made = Exec(spec)
        case model.PostgresqlProbe():
            from orchestrator.services.probes.postgresql import Postgresql

            made = Postgresql(spec)
        case model.RedisProbe():
            from orchestrator.services.probes.redis import Redis

            made = Redis(spec)
        case model.SystemdProbe():
            from orchestrator.services.probes.systemd import Systemd

            made = Systemd(spec)
        case model.LogProbe():
            from orchestrator.services.probes.log import Log

            made = Log(spec)
        case _:
            assert_never(spec)
    return made
