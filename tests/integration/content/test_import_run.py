# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports onto a server that has nothing: what was sent is what its clients see."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.receiving import Server, server
from tests.support.sending import Sent, contents, of


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Server]:
    with server(tmp_path) as found:
        yield found


def test_an_export_becomes_what_clients_see(receiver: Server) -> None:
    web, tools = Sent("os/web", contents("a", "b", "c")), Sent("own/tools", contents("d", "e"))
    outcome = receiver.run(of(web, tools).media())
    assert outcome.exit_code == 0, outcome.to_json()
    assert receiver.repository("os/web") == web.contents
    assert receiver.repository("own/tools") == tools.contents
