# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of sources: secrets go from contents, names and reasons; what fails is listed, and ends nothing."""

import json
import os
from pathlib import Path

from orchestrator.upgrade.bundle.archive import Archive
from orchestrator.upgrade.bundle.collecting import Collection, collect
from orchestrator.upgrade.bundle.listing import render_json, render_text
from orchestrator.upgrade.bundle.redaction import Redactor
from orchestrator.upgrade.bundle.sources import Content, Source, Unavailable, text_source


def fail(error: Exception) -> Content:
    raise error


def collected(*sources: Source) -> Collection:
    with Archive("root", None, 0.0) as archive:
        found = collect(sources, Redactor(["Planted-7f3a"]), archive, lambda _: None)
        archive.finish([], os.open(os.devnull, os.O_WRONLY))
    return found


def test_what_cannot_be_had_is_listed_with_its_reason() -> None:
    found = collected(
        Source("a", "a file", lambda: fail(PermissionError(13, "Permission denied"))),
        Source("b", "a command", lambda: fail(Unavailable("no end within 15 s"))),
        Source("c", "a report", lambda: fail(KeyError("Planted-7f3a"))),
        Source("d", "maybe", lambda: fail(FileNotFoundError(2, "gone")), optional=True),
        text_source("e", "a text", lambda: "fine\n"),
    )
    whys = ["Permission denied", "no end within 15 s", "KeyError: '[removed]'"]
    assert [missing.why for missing in found.missing] == whys
    assert [member.path for member in found.members] == ["e"]


def test_names_lose_secrets_stay_apart_and_lead_nowhere_else() -> None:
    paths = ["x/Planted-7f3a.log", "x/[removed].log", "../../etc/passwd", "/abs\nolute"]
    found = collected(*(text_source(path, "", lambda: "") for path in paths))
    names = ["x/[removed].log", "x/[removed].log~2", "etc/passwd", "abs_olute"]
    assert [member.path for member in found.members] == names
    assert found.removed == 1


def test_the_list_tells_sizes_secrets_cuts_and_what_is_missing() -> None:
    found = collected(
        text_source("a.txt", "a text", lambda: "TOKEN=x PASSWORD=y\n"),
        Source("long.log", "a log", lambda: Content(b"x", left_out=12, remark="exit status 3")),
        Source("b", "a command", lambda: fail(Unavailable("it says nothing"))),
    )
    text = render_text({"run": "0001", "host": "h"}, found)
    assert "2 files, 1 secret removed" in text
    assert "long.log  a log (12 bytes of its middle left out; exit status 3)" in text
    assert "b (a command): it says nothing" in text
    document = json.loads(render_json({"run": "0001"}, found))
    assert [file["path"] for file in document["files"]] == ["a.txt", "long.log"]
    assert document["missing"] == [{"path": "b", "what": "a command", "why": "it says nothing"}]


def test_the_list_of_nothing_is_a_list(tmp_path: Path) -> None:
    assert "0 files, 0 secrets removed" in render_text({}, Collection())
