# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions beside other runs: nobody takes from the pool what the answer is made of."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator import content
from orchestrator.content.events import Event, Name
from orchestrator.content.outcome import Status
from orchestrator.errors import Busy, Refused
from tests.support.disks import read_only
from tests.support.mirrored import Kind, Mirror, mirrored
from tests.support.nobody import as_nobody, public_directory
from tests.support.openpgp import key

QUESTIONS: dict[str, Callable[[content.Engine], object]] = {
    "search": lambda engine: content.search(engine, [], content.Query(name="*")),
    "closure": lambda engine: content.closure(engine, ["up"], ["web"]),
    "unresolved": lambda engine: content.unresolved(engine, []),
    "why": lambda engine: content.why(engine, "db", [], ["web"], partial=True),
    "a dry run": lambda engine: content.clone(engine, engine.mirrors.sources, [], content.Wish(dry_run=True)),
}
KINDS: list[Kind] = ["deb", "rpm"]


@pytest.fixture(params=KINDS)
def mirror(request: pytest.FixtureRequest) -> Iterator[Mirror]:
    with public_directory() as place:
        public = place / "key.asc"
        public.write_bytes(key().public_file.read_bytes())
        with mirrored(request.param, place, keys=[str(public)]) as found:
            found.offer(1)
            # The server is of this process, too, when it is nobody for a moment.
            found.server.root = Path(shutil.copytree(found.server.root, place / "upstream"))
            found.server.root.chmod(0o755)
            found.configure()
            yield found


def ask(mirror: Mirror, question: str, watch: Callable[[Event], None] = lambda _: None) -> object:
    with content.Engine(content.load_mirrors(mirror.config), watch=watch) as engine:
        return QUESTIONS[question](engine)


def prune(mirror: Mirror) -> bool:
    """Whether files could be removed from the pool now."""
    try:
        with content.Engine(content.load_mirrors(mirror.config)) as engine:
            content.prune(engine)
    except Busy:
        return False
    return True


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_pool_is_not_pruned_while_a_question_is_answered(mirror: Mirror, question: str) -> None:
    pruned: list[bool] = []

    def watch(event: Event) -> None:
        if event.name is Name.READING:
            pruned.append(prune(mirror))

    ask(mirror, question, watch)
    assert pruned == [False]
    assert prune(mirror), "the question is answered"


def test_why_takes_a_full_mirror_for_a_partial_one(mirror: Mirror) -> None:
    with content.Engine(content.load_mirrors(mirror.config)) as engine:
        (chain,) = content.why(engine, "db", ["up"], ["web"], partial=True)
        assert [link.package.name for link in chain] == ["db", "web"]
        with pytest.raises(Refused, match="nothing brings other in"):
            content.why(engine, "other", ["up"], ["web"], partial=True)


@pytest.mark.parametrize("question", QUESTIONS)
def test_who_may_not_write_gets_an_answer_from_what_is_held(mirror: Mirror, question: str) -> None:
    assert mirror.clone().status is Status.PUBLISHED
    before = tree(mirror.root)
    with read_only(mirror.root):
        ask(mirror, question)
    with as_nobody():
        ask(mirror, question)
    assert tree(mirror.root) == before


def tree(root: Path) -> list[Path]:
    return sorted(root.rglob("*"))
