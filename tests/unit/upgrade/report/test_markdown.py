# SPDX-License-Identifier: GPL-3.0-or-later
from pathlib import Path

import pytest

from orchestrator.upgrade.journal import EventName
from orchestrator.upgrade.report import make_report, render_markdown
from orchestrator.upgrade.report.markdown import code, fenced, plain
from tests.support.journals import Script


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# no heading", r"\# no heading"),
        ("- no list", r"\- no list"),
        ("1. no list", r"\1. no list"),
        ("<b>no tag</b>", r"\<b\>no tag\</b\>"),
        ("[no](link)", r"\[no\](link)"),
        ("two\nlines | bar", r"two lines \| bar"),
        ("nothing special", "nothing special"),
    ],
)
def test_words_of_others_are_only_words(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_code_may_hold_backticks() -> None:
    assert code("a`b``c") == "``` a`b``c ```"
    assert fenced(["````", "x"]) == ["`````", "````", "x", "`````", ""]


def test_a_run_that_stopped_says_all_of_it(tmp_path: Path) -> None:
    script = Script().begin().found("web").tell(EventName.ANSWERED, question="3010", text="drops a column", answer=True,
                                                by="--accept", user="ada")  # fmt: skip
    script.phase("backends-up").stop("web").step("upgrade/3010_a.sh", 4, "failed", message="exit status 3")
    run = script.stopped("upgrade/3010_a.sh failed: exit status 3").save(tmp_path, {})
    log = run.step_file("upgrade/3010_a.sh", 1, "log")
    log.parent.mkdir(parents=True)
    log.write_text("one\n```\n# two\n")
    text = render_markdown(make_report(tmp_path, run))
    assert text.startswith("# Bookshelf: Failed at upgrade/3010\\_a.sh\n\nExit status 3\n")
    assert "````\none\n```\n# two\n````" in text
    assert "- web is stopped" in text
    assert "```\norchestrator recover\n```" in text
    assert "| drops a column | yes | ada | --accept | 2026-11-20 10:15:00 UTC |" in text
    assert "| web | up | 1.0 s |   | down |" in text
