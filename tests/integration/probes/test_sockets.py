# SPDX-License-Identifier: GPL-3.0-or-later
"""The `tcp` and `unix` probes: the reasons why nobody is there."""

from pathlib import Path

import pytest

from orchestrator.services.service import Readiness
from tests.support.loopback import loopback_server, silent
from tests.support.probes import ask


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:1", "Connection refused"),
        ("127.0.0.1:99999", "99999 is not the number of a port"),
        ("..:80", "'..' is not the name of a host"),
    ],
    ids=["closed", "no port", "no name"],
)
def test_the_reason_names_the_address_and_what_is_wrong_with_it(address: str, reason: str) -> None:
    verdict = ask({"tcp": address})
    assert verdict.readiness is Readiness.STARTING
    assert verdict.reason == f"{address}: {reason}"


def test_a_name_is_tried_at_all_its_addresses() -> None:
    with loopback_server(silent) as server:  # at 127.0.0.1 only; localhost is often ::1 first
        assert ask({"tcp": f"localhost:{server.port}"}).readiness is Readiness.READY


def test_a_socket_file_is_ready_when_somebody_listens_there(directory: Path) -> None:
    path = directory / "socket"
    assert ask({"unix": str(path)}).reason == f"{path}: No such file or directory"
    with loopback_server(silent, path):
        assert ask({"unix": str(path)}).readiness is Readiness.READY
    assert ask({"unix": str(path)}).reason == f"{path}: Connection refused"


def test_a_path_too_long_for_a_socket_is_named_so(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 200)
    assert ask({"unix": str(path)}).reason == f"{path}: AF_UNIX path too long"
