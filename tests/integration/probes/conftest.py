# SPDX-License-Identifier: GPL-3.0-or-later
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import PostgresqlServer, postgresql_cluster, server_directory


@pytest.fixture
def directory() -> Iterator[Path]:
    """A short directory that servers of other users may enter."""
    with server_directory() as path:
        yield path


@pytest.fixture(scope="session")
def cluster() -> Iterator[PostgresqlServer]:
    """A PostgreSQL that the test starts itself; one for all tests, which leave it shut down."""
    with server_directory() as path:
        yield postgresql_cluster(path)
