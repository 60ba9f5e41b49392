# SPDX-License-Identifier: GPL-3.0-or-later
"""What a test needs of the machine: skipped with the reason where it is missing, required in CI."""

import os

import pytest


def require(condition: bool, reason: str) -> None:
    """Skip the test unless `condition`; with CI=true a missing part is a failure."""
    if condition:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have what this test needs: {reason}")
    pytest.skip(reason)
