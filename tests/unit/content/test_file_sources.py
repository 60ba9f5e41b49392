# SPDX-License-Identifier: GPL-3.0-or-later
"""What a source of plain files says, in a mirrors.yaml or alone."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.content.mirrors_file import load_mirrors, read_source
from orchestrator.errors import Invalid
from tests.support.openpgp import key

FILES = {"name": "isos", "type": "file", "baseurl": "http://up.example/isos", "unsigned": True}


def read(directory: Path, **more: Any) -> Any:
    written = {name: value for name, value in {**FILES, **more}.items() if value is not None}
    return read_source(directory, written)


def test_it_is_one_directory_unless_it_says_more(tmp_path: Path) -> None:
    assert read(tmp_path).repositories == (".",)
    assert read(tmp_path, repositories=["images", "tools/extra/"]).repositories == ("images", "tools/extra")


def test_it_is_mirrored_as_it_is_or_by_names(tmp_path: Path) -> None:
    assert not read(tmp_path).rebuilt
    assert read(tmp_path, include=["*.iso"]).rebuilt
    partial = read(tmp_path, requirements=["disk.iso"])
    assert (partial.partial, partial.rebuilt) == (True, True)


def test_a_mirrors_file_may_have_it_beside_others(tmp_path: Path) -> None:
    path = tmp_path / "mirrors.yaml"
    path.write_text(yaml.safe_dump({"sources": [FILES]}))
    assert load_mirrors(path).sources == (read(tmp_path),)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"unsigned": None}, "unsigned: is missing (nothing signs its list"),
        ({"keys": ["key.asc"], "unsigned": None}, "keys: nothing signs the list of a file source"),
        ({"keys": ["key.asc"]}, "keys: nothing signs the list of a file source"),
        ({"architectures": ["amd64"]}, "architectures: means nothing in a file source"),
        ({"newest": 2}, "newest: means nothing in a file source"),
        ({"metalink": "http://up.example/m", "baseurl": None}, "metalink: means nothing in a file source"),
        ({"sign_with": "key.secret"}, "sign_with: means nothing in a file source"),
        ({"exclude": [{"section": "x"}]}, "exclude[0]: files have nothing but names"),
        ({"repositories": ["../up"]}, "repositories[0]:"),
    ],
)
def test_what_files_have_none_of_is_an_error(tmp_path: Path, more: dict[str, Any], problem: str) -> None:
    (tmp_path / "key.asc").write_bytes(key().public)
    (tmp_path / "key.secret").touch(0o600)
    with pytest.raises(Invalid) as caught:
        read(tmp_path, **more)
    told = list(map(str, caught.value.problems))
    assert any(each.startswith(problem) for each in told), told
    assert len(told) == 1, told
