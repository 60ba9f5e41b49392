# SPDX-License-Identifier: GPL-3.0-or-later
from orchestrator.upgrade.report.markup import Markup, join, tag


def test_texts_are_escaped_wherever_they_stand() -> None:
    evil = "\"><script>alert('1')</script>&amp;"
    made = tag("p", evil, [evil, tag("b", evil)], title=evil)
    assert "<script" not in made
    assert made.count("&lt;script&gt;") == 4
    assert made.count("&amp;amp;") == 4


def test_markup_is_not_escaped_again() -> None:
    assert tag("p", tag("b", "x"), Markup("<hr>")) == "<p><b>x</b><hr></p>"


def test_what_is_none_is_left_out() -> None:
    assert tag("p", None, "x", class_=None, data_name=1.5) == '<p data-name="1.5">x</p>'


def test_joined_texts_are_markup_that_is_escaped_once() -> None:
    assert tag("p", join(["<", "b"])) == "<p>&lt;b</p>"
