# SPDX-License-Identifier: GPL-3.0-or-later
"""Who agrees to what, and that nothing waits for an answer that cannot come."""

import time
from contextlib import AbstractContextManager

import pytest

from tests.support.product import Product
from tests.support.terminal import INTERRUPT, Terminal, at_terminal

RISK = "#risk: drops the old index"


def terminal(product: Product, *words: str) -> AbstractContextManager[Terminal]:
    return at_terminal(product.argv("upgrade", *words), product.environment())


@pytest.fixture
def risky(product: Product) -> Product:
    product.step("upgrade/0010_a.sh")
    product.step("upgrade/0130_drop.sh", "", RISK)
    product.step("upgrade/0140_drop.sh", "", "#risk: drops the new one too")
    return product


def test_without_a_terminal_all_open_questions_are_told_at_once(risky: Product) -> None:
    outcome = risky.run("upgrade").expect(6)
    assert risky.ran() == []
    assert not (risky.state / "runs").exists()
    for words in ("0130: upgrade/0130_drop.sh drops the old index", "0140", "--accept 0130", "--assumeyes"):
        assert words in outcome.err


def test_assumeyes_does_not_agree_to_a_risk(risky: Product) -> None:
    outcome = risky.run("upgrade", "-y", "--accept", "0130").expect(6)
    assert "drops the new one too" in outcome.err
    assert "drops the old index" not in outcome.err
    assert risky.ran() == []


def test_a_risk_agreed_to_does_not_answer_the_routine_question(risky: Product) -> None:
    assert "continue" in risky.run("upgrade", "--accept", "0130", "--accept", "0140").expect(6).err


@pytest.mark.parametrize("name", ["0130", "130", "0130_drop.sh", "upgrade/0130_drop.sh"])
def test_a_risk_is_named_by_number_or_file_name(risky: Product, name: str) -> None:
    risky.run("upgrade", "-y", "--accept", name, "--accept", "0140").expect(0)
    assert risky.ran() == ["0010", "0130", "0140"]
    answers = {e["question"]: e["by"] for e in risky.journal() if e["event"] == "answered"}
    assert answers == {"0130": "--accept", "0140": "--accept", "continue": "--assumeyes"}


def test_the_answers_file_answers(risky: Product) -> None:
    file = risky.directory / "answers.yaml"
    file.write_text("continue: yes\n0130: yes\n'0140': no\n")
    outcome = risky.run("upgrade", "--answers", str(file)).expect(130)
    assert "the answer to 0140 is no (by answers file); nothing was touched" in outcome.err
    assert risky.ran() == []
    file.write_text("continue: yes\n0130: yes\n0140: yes\n")
    risky.run("upgrade", "--answers", str(file)).expect(0)


@pytest.mark.parametrize(
    ("text", "told"), [("continue: maybe", "takes yes or no"), ("[yes]", "must map"), ("a: [", "YAML")]
)
def test_a_bad_answers_file_is_an_error(risky: Product, text: str, told: str) -> None:
    file = risky.directory / "answers.yaml"
    file.write_text(text)
    assert told in risky.run("upgrade", "--answers", str(file)).expect(78).err
    assert "there-is-none" in risky.run("upgrade", "--answers", "there-is-none").expect(78).err


def test_the_plan_stands_before_the_question_and_y_begins_the_run(product: Product) -> None:
    product.step("upgrade/0010_a.sh")
    with terminal(product) as screen:
        screen.expect("Go on? [y/N]")
        assert "upgrade/0010_a.sh" in screen.text
        assert product.ran() == []
        screen.type("y\n")
        assert screen.wait() == 0
    assert product.ran() == ["0010"]


@pytest.mark.parametrize("reply", ["n\n", "\n", "yo\n", "\x04"])
def test_any_other_reply_is_a_no(product: Product, reply: str) -> None:
    product.step("upgrade/0010_a.sh")
    with terminal(product) as screen:
        screen.expect("Go on? [y/N]")
        screen.type(reply)
        assert screen.wait() == 130
        assert "nothing was touched" in screen.text
    assert product.ran() == []
    assert not (product.state / "runs").exists()


def test_a_risk_must_be_agreed_to_in_full(risky: Product) -> None:
    with terminal(risky, "--accept", "0140") as screen:
        screen.expect("drops the old index")
        screen.expect("Type yes to agree")
        screen.type("y\n")
        assert screen.wait() == 130
    with terminal(risky, "--accept", "0140") as screen:
        screen.expect("Type yes to agree")
        screen.type("yes\n")
        screen.expect("Go on?")
        screen.type("y\n")
        assert screen.wait() == 0
    assert risky.ran() == ["0010", "0130", "0140"]


def test_an_interrupt_at_a_question_ends_the_command(product: Product) -> None:
    product.step("upgrade/0010_a.sh")
    with terminal(product) as screen:
        screen.expect("Go on? [y/N]")
        time.sleep(
            0.2
        )  # nobody reads a question and presses within the instant before it waits for an answer
        screen.type(INTERRUPT)
        assert screen.wait(5) == 130
        assert "Traceback" not in screen.text
    assert product.ran() == []
    product.run("upgrade", "-y").expect(0)


def test_a_run_that_goes_on_does_not_ask_for_a_risk_again(risky: Product) -> None:
    risky.step("upgrade/0010_a.sh", "exit 1")
    risky.run("upgrade", "-y", "--accept", "0130", "--accept", "0140").expect(1)
    risky.step("upgrade/0010_a.sh")
    risky.run("upgrade", "-y").expect(0)
    assert risky.ran() == ["0010", "0010", "0130", "0140"]


def test_a_step_cannot_read_the_terminal(product: Product) -> None:
    body = "read word; echo read:$?:$word; (read word </dev/tty) 2>/dev/null; echo tty:$?"
    product.step("upgrade/0010_a.sh", f"{{ {body}; }} >{product.directory}/seen")
    with terminal(product, "-y") as screen:
        screen.type("hello\nhello\n")
        assert screen.wait() == 0
    first, second = (product.directory / "seen").read_text().split()
    assert first == "read:1:"
    assert second != "tty:0"


def test_json_output_asks_nothing(risky: Product) -> None:
    with terminal(risky, "-o", "json") as screen:
        assert screen.wait() == 6


@pytest.mark.parametrize("moment", ["", "sleep 0.3; "])
def test_a_step_without_a_known_end_may_ask_before_it_is_run_again(product: Product, moment: str) -> None:
    # Its parent is the program that would have recorded its end.
    product.step("upgrade/0010_a.sh", f"{moment}kill -9 $PPID; sleep 0.5", "#rerun: ask")
    product.run("upgrade", "-y").expect(1)
    outcome = product.run("upgrade", "-y").expect(6)
    assert "rerun-0010" in outcome.err
    assert "nobody knows how it ended" in outcome.err
    assert product.ran() == ["0010"]
    product.step("upgrade/0010_a.sh", "", "#rerun: ask")
    product.run("upgrade", "-y", "--accept", "rerun-0010").expect(0)
    assert product.ran() == ["0010", "0010"]
    assert product.history() == {"0010_a.sh": "done"}


def test_a_script_that_gets_a_risk_after_the_plan_was_made_is_not_run(product: Product) -> None:
    other = product.directory / "scripts/upgrade/0020_b.sh"
    product.step("upgrade/0020_b.sh")
    sed = f"sed -i 's/^#name:/#risk: eats data\\n#name:/' {other}"
    product.step("upgrade/0010_a.sh", sed)
    outcome = product.run("upgrade", "-y").expect(6)
    assert "eats data" in outcome.err
    assert product.ran() == ["0010"]
    product.run("upgrade", "-y").expect(6)
    product.run("upgrade", "-y", "--accept", "0020").expect(0)
    assert product.ran() == ["0010", "0020"]
