# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that a host is known to have, from the files that hold them."""

from pathlib import Path

import pytest

from orchestrator.upgrade.bundle import known


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("redis.pw", "Planted-7f3a\n", {"Planted-7f3a"}),
        ("two", "one one\ntwo two\n", {"one one\ntwo two", "one one", "two two"}),
        (".pgpass", "# c\nh:5432:d:u:pa\\:ss\n", {"pa:ss"}),
        (".netrc", "machine h\n login u\n password Planted-7f3a\n", {"Planted-7f3a"}),
        ("key.pem", "-----BEGIN PRIVATE KEY-----\nMIIEabcdef\n-----END PRIVATE KEY-----\n", {"MIIEabcdef"}),
    ],
)
def test_a_file_of_secrets(tmp_path: Path, name: str, text: str, wanted: set[str]) -> None:
    (tmp_path / name).write_text(text)
    assert wanted <= set(known.of_file(tmp_path / name))


def test_an_environment_file(tmp_path: Path) -> None:
    file = tmp_path / "default"
    file.write_text(
        "# PASSWORD=no\nDB_PASSWORD='one two'\nexport TOKEN=three\nPLAIN=x\nURL=http://u:four@h/\n"
    )
    found = set(known.of_environment_file(file))
    assert {"one two", "three", "four"} <= found
    assert "x" not in found


def test_files_are_looked_for_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("Planted-7f3a\n")
    assert "Planted-7f3a" in set(known.of_document({"x": {"password_file": "pw"}}, tmp_path))
    assert not set(known.of_document({"x": {"password_file": "absent"}}, tmp_path))


def test_the_directory_a_shell_is_in_is_no_secret() -> None:
    assert not set(known.of_environment({"PWD": "/work", "OLDPWD": "/x", "HOME": "/root"}))
