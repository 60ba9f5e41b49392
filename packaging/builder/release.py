# SPDX-License-Identifier: GPL-3.0-or-later
"""What both packages say of themselves."""

from dataclasses import dataclass

SUMMARY = "upgrade runner for multi-service servers, and content engine"
DESCRIPTION = """\
Runs the numbered scripts of an upgrade, each in the service state that its
number promises; services are verified to be down or ready. Continues after
a failure, a kill or a power cut where it was. Packages bring their scripts
in /usr/share/orchestrator/scripts.d: one transaction of the package manager
causes one run.

Mirrors deb and rpm repositories, in full or in part, and carries content to
servers without a network.

All Python dependencies are part of the package."""


@dataclass(frozen=True, slots=True)
class Release:
    """`python`: the ABI of the extension modules. `level`: of the zstd compression. `epoch`: the time of every file."""

    version: str
    python: str
    glibc: str
    epoch: int
    level: int
