# SPDX-License-Identifier: GPL-3.0-or-later
"""Who agreed to what: every source of answers, every spelling of an id, and all open questions at once."""

from pathlib import Path

import pytest

from orchestrator.errors import Interrupted, Invalid, Unanswered
from orchestrator.upgrade.consent import Answer, Answers, read_answers, settle
from orchestrator.upgrade.plan import Question

ROUTINE = Question("continue", "Go on?", routine=True)
RISK = Question("0120", "upgrade/0120_x.sh drops the index")
RERUN = Question("rerun-0130", "upgrade/0130_y.sh was running: run it again?")
# Two steps of one number, of different kinds: one id for two questions.
TWINS = (Question("0140", "default/0140_a.sh drops a"), Question("0140", "upgrade/0140_b.sh drops b"))
COMMAND = "orchestrator upgrade"


def given(question: Question, **answers: object) -> Answer | None:
    return Answers(**answers).to(question)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("question", "agreed"),
    [(ROUTINE, True), (RISK, False), (RERUN, False)],
    ids=lambda value: getattr(value, "id", None),
)
def test_assumeyes_answers_routine_questions_only(question: Question, agreed: bool) -> None:
    answer = given(question, assume_yes=True)
    assert answer == (Answer(question.id, yes=True, by="--assumeyes") if agreed else None)


@pytest.mark.parametrize("text", ["0120", "120", "00120", "0120_x.sh", "upgrade/0120_x.sh"])
def test_a_risk_is_accepted_by_number_name_or_id(text: str) -> None:
    assert given(RISK, accepted=("0999", text)) == Answer("0120", yes=True, by="--accept")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12",
        "1200",
        "0120_x",
        "default/0120_x.sh",
        "upgrade",
        "drops",
        "*",
        "0120*",
        "continue",
        "rerun-0120",
        "\u00b2",
        "-120",
        "120.0",
    ],
)
def test_nothing_else_accepts_it(text: str) -> None:
    assert given(RISK, accepted=(text,)) is None


@pytest.mark.parametrize("text", ["0130", "0130_y.sh", "upgrade/0130_y.sh", "rerun-130"])
def test_to_run_a_step_again_is_a_question_of_its_own(text: str) -> None:
    assert given(RERUN, accepted=(text,)) is None
    assert given(RERUN, accepted=("rerun-0130",)) == Answer("rerun-0130", yes=True, by="--accept")


def test_the_answers_file_says_yes_and_no() -> None:
    assert given(RISK, from_file={"0120": True}) == Answer("0120", yes=True, by="answers file")
    assert given(RISK, from_file={"0120": False}) == Answer("0120", yes=False, by="answers file")
    assert given(RISK, from_file={"0130": True}) is None
    assert given(ROUTINE, from_file={"continue": False}, assume_yes=True) == Answer(
        "continue", yes=False, by="answers file"
    )


def test_what_is_accepted_on_the_command_line_comes_before_the_file() -> None:
    assert given(RISK, accepted=("0120",), from_file={"0120": False}) == Answer(
        "0120", yes=True, by="--accept"
    )


def test_all_open_questions_are_told_at_once_with_the_way_to_answer_them() -> None:
    with pytest.raises(Unanswered) as caught:
        settle((RISK, RERUN, ROUTINE), Answers(accepted=("120",)), None, COMMAND)
    error = caught.value
    assert error.message.startswith(
        "2 questions need an answer and there is no terminal; nothing was touched"
    )
    assert [str(problem) for problem in error.problems] == [
        "rerun-0130: upgrade/0130_y.sh was running: run it again? (answer with --accept rerun-0130)",
        "continue: Go on? (answer with --assumeyes)",
    ]
    assert "orchestrator upgrade --assumeyes --accept rerun-0130 --accept 0120" in error.hint


def test_one_open_question_is_told_in_the_singular() -> None:
    with pytest.raises(Unanswered, match=r"^1 question needs an answer"):
        settle((ROUTINE,), Answers(), None, COMMAND)


def test_who_sits_at_the_terminal_is_asked_only_what_is_open() -> None:
    asked: list[str] = []

    def ask(question: Question) -> bool:
        asked.append(question.id)
        return True

    settled = settle((RISK, RERUN, ROUTINE), Answers(assume_yes=True, accepted=("0120",)), ask, COMMAND)
    assert asked == ["rerun-0130"]
    assert [(answer.question, answer.by) for answer in settled] == [
        ("0120", "--accept"),
        ("rerun-0130", "terminal"),
        ("continue", "--assumeyes"),
    ]


def test_a_no_ends_it_and_nothing_more_is_asked() -> None:
    asked: list[str] = []

    def ask(question: Question) -> bool:
        asked.append(question.id)
        return False

    with pytest.raises(Interrupted, match=r"the answer to 0120 is no \(by terminal\); nothing was touched"):
        settle((RISK, RERUN, ROUTINE), Answers(), ask, COMMAND)
    assert asked == ["0120"]
    with pytest.raises(Interrupted, match=r"the answer to continue is no \(by answers file\)"):
        settle((ROUTINE,), Answers(assume_yes=True, from_file={"continue": False}), None, COMMAND)


def test_without_questions_nothing_is_asked() -> None:
    assert settle((), Answers(), None, COMMAND) == ()


@pytest.mark.parametrize(("name", "open_one"), [("0140_a.sh", TWINS[1]), ("upgrade/0140_b.sh", TWINS[0])])
def test_consent_to_one_of_two_steps_with_one_number_is_none_to_the_other(
    name: str, open_one: Question
) -> None:
    with pytest.raises(Unanswered) as caught:
        settle(TWINS, Answers(accepted=(name,)), None, COMMAND)
    assert [problem.what for problem in caught.value.problems] == [open_one.text]
    assert caught.value.hint.endswith("orchestrator upgrade --accept 0140")


def test_each_of_two_steps_with_one_number_can_be_accepted_by_name() -> None:
    settled = settle(TWINS, Answers(accepted=("0140_a.sh", "0140_b.sh")), None, COMMAND)
    assert [answer.yes for answer in settled] == [True, True]


# The answers file ---------------------------------------------------------------------------------------------


def answers(directory: Path, text: str) -> dict[str, bool]:
    path = directory / "answers.yaml"
    path.write_text(text)
    return read_answers(path)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("continue: yes", {"continue": True}),
        ("'0130': yes\n120: no", {"0130": True, "0120": False}),
        ("0130: yes", {"0130": True}),
        ("0099: true", {"0099": True}),
        ("9: on", {"0009": True}),
        ("rerun-0130: yes", {"rerun-0130": True}),
        ("{}", {}),
    ],
)
def test_ids_in_the_file_are_what_they_look_like(tmp_path: Path, text: str, means: dict[str, bool]) -> None:
    assert answers(tmp_path, text) == means


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "must map question ids to yes or no"),
        ("- 0130", "must map question ids to yes or no"),
        ("0130", "must map question ids to yes or no"),
        ("0130: maybe", "takes yes or no, not 'maybe'"),
        ("0130: 1", "takes yes or no, not 1"),
        ("0130: 'yes'", "takes yes or no, not 'yes'"),
        ("0130:", "takes yes or no, not None"),
        ("yes: yes", "True: is not the id of a question"),
        ("1.5: yes", "1.5: is not the id of a question"),
        ("0130: [", "is not valid YAML"),
        ("0130: yes\n0130: no", "stands twice"),
    ],
)
def test_a_bad_file_is_an_error_and_agrees_to_nothing(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(Invalid) as caught:
        answers(tmp_path, text)
    assert told in " ".join([caught.value.message, *map(str, caught.value.problems)])


def test_every_bad_line_is_told(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        answers(tmp_path, "a: 1\nb: yes\nc: 2\n")
    assert [problem.where.rpartition(" ")[2] for problem in caught.value.problems] == ["a", "c"]
