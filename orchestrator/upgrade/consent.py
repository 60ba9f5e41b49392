# SPDX-License-Identifier: GPL-3.0-or-later
"""Who agreed to what. Routine questions are answered by --assumeyes; a risk needs an answer of its own.

All questions are known from the plan; they are settled before anything is stopped, and where nobody can
be asked, the open ones end the command at once. Nothing waits for an answer that cannot come.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.config.load import read_yaml
from orchestrator.errors import Interrupted, Invalid, Problem, Unanswered
from orchestrator.upgrade.plan import Question


@dataclass(frozen=True, slots=True)
class Answer:
    """`by` is --assumeyes, --accept, the answers file, or the terminal."""

    question: str
    yes: bool
    by: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What the caller said beforehand."""

    assume_yes: bool = False
    accepted: tuple[str, ...] = ()
    from_file: Mapping[str, bool] = field(default_factory=dict)

    def to(self, question: Question) -> Answer | None:
        if question.id in self.accepted or any(self._means(text, question) for text in self.accepted):
            return Answer(question.id, yes=True, by="--accept")
        if question.id in self.from_file:
            return Answer(question.id, self.from_file[question.id], "answers file")
        if question.routine and self.assume_yes:
            return Answer(question.id, yes=True, by="--assumeyes")
        return None

    @staticmethod
    def _means(text: str, question: Question) -> bool:
        """`120` and `upgrade/0120_x.sh` mean the question 0120 as well."""
        if text.isdecimal() and question.id.isdecimal():
            return int(text) == int(question.id)
        return question.id.isdecimal() and question.text.split(" ", 1)[0] in (
            text,
            f"upgrade/{text}",
            f"default/{text}",
        )


def read_answers(path: Path) -> dict[str, bool]:
    """The answers in a YAML file: question id -> yes or no. Raises Invalid."""
    document = read_yaml(path)
    if not isinstance(document, dict):
        raise Invalid(f"{path} must map question ids to yes or no, like: {{continue: yes, '0130': yes}}")
    problems = [
        Problem(f"{path}: {key}", f"takes yes or no, not {value!r}")
        for key, value in document.items()
        if not isinstance(value, bool)
    ]
    problems += [
        Problem(f"{path}: {key}", "is not the id of a question")
        for key in document
        if isinstance(key, bool) or not isinstance(key, str | int)
    ]
    if problems:
        raise Invalid(f"the answers in {path} are not all yes or no", problems=problems)
    return {f"{key:04}" if isinstance(key, int) else str(key): value for key, value in document.items()}


def settle(
    questions: Sequence[Question], answers: Answers, ask: Callable[[Question], bool] | None, command: str
) -> tuple[Answer, ...]:
    """An answer to every question. `ask` puts one to the terminal; None: there is no terminal.

    `command` is the command line that asked, for the message that tells how to answer in it.

    Raises Unanswered with all open questions, or Interrupted when one is answered with no.
    """
    # By question, not by id: two steps of one number share the id, and a name given to --accept means only one.
    given = [(question, answers.to(question)) for question in questions]
    open_questions = [question for question, answer in given if answer is None]
    if open_questions and ask is None:
        number = len(open_questions)
        options = ["--assumeyes" if q.routine else f"--accept {q.id}" for q in reversed(questions)]
        raise Unanswered(
            f"{number} question{'s need' if number > 1 else ' needs'} an answer and there is no terminal; "
            "nothing was touched",
            problems=[Problem(q.id, q.text, how_to_answer(q)) for q in open_questions],
            hint=f"run it from a terminal, or with the consent in the command: {command} {' '.join(dict.fromkeys(options))}",
        )
    settled: list[Answer] = []
    for question, prepared in given:
        answer = prepared
        if answer is None:
            assert ask is not None
            answer = Answer(question.id, ask(question), "terminal")
        if not answer.yes:
            raise Interrupted(
                f"not done: the answer to {question.id} is no (by {answer.by}); nothing was touched"
            )
        settled.append(answer)
    return tuple(settled)


def how_to_answer(question: Question) -> str:
    return "answer with --assumeyes" if question.routine else f"answer with --accept {question.id}"
