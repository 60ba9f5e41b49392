# SPDX-License-Identifier: GPL-3.0-or-later
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.product import Product
from tests.support.stack import Stack, temporary_product, temporary_stack


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    """A product without services."""
    with temporary_product(tmp_path) as one:
        yield one


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A product with the services `db` and `web`, which are down."""
    with temporary_stack(tmp_path) as one:
        yield one
