# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables in a real terminal of 80 and of 160 columns, with names as long as they are in earnest."""

from pathlib import Path

import pytest

from tests.support.product import Product
from tests.support.tmux import on_screen

INDEX = "0120_migrate_full_text_search_index_to_new_analyzer.sh"
GIVEN_UP = "3900_given_up_on_purpose_because_of_a_long_reason.sh"
REASON = "this host has no attachments at all and never will have, says the customer"
SERVICES = ("postgresql@15-main", "opensearch-dashboards-collector", "bookshelf-background-worker", "web")
TABLES = ("runs list", "runs show 1", "runs show 2", "history list", "services list", "scripts list")


def service(directory: Path, name: str, tier: str) -> dict[str, object]:
    mark = directory / f"up-{name}"
    status = ["sh", "-c", f"test -e {mark} && exit 0; exit 3"]
    return {
        "tier": tier, "manager": "command", "start": ["touch", str(mark)], "stop": ["rm", "-f", str(mark)],
        "status": status,
    }  # fmt: skip


@pytest.fixture
def bookshelf(product: Product) -> Product:
    """Two runs of which the first was continued, a step that was skipped, services with long names."""
    directory = product.directory
    tiers = ("backend", "backend", "application", "application")
    product.config["services"] = {
        name: service(directory, name, tier) for name, tier in zip(SERVICES, tiers, strict=True)
    }
    product.config["product"]["version"] = "2026.11.20-1.el9"
    product.save()
    product.step(f"upgrade/{INDEX}", "sleep 0.2")
    product.step("upgrade/3100_schema.sh", f"test -e {directory}/mended")
    product.run("services", "start").expect(0)
    product.run("upgrade", "-y").expect(1)
    (directory / "mended").touch()
    product.run("upgrade", "-y").expect(0)
    product.config["product"]["version"] = "2026.12.01-1.el9"
    product.save()
    product.step("upgrade/3200_more.sh")
    product.run("upgrade", "-y").expect(0)
    product.step(f"upgrade/{GIVEN_UP}")
    product.run("history", "skip", "3900", "--reason", REASON).expect(0)
    return product


def test_tables_fit_the_terminal_and_nothing_is_lost(bookshelf: Product) -> None:
    shown = {}
    for columns in (80, 160):
        command = "; ".join(f"echo '= {words}'; {' '.join(bookshelf.argv())} {words}" for words in TABLES)
        with on_screen(
            ["/bin/sh", "-c", command], bookshelf.environment(), columns=columns, lines=200
        ) as screen:
            screen.ended()
            lines = screen.lines()
            assert lines == screen.lines(unfolded=True), "the terminal had nothing to fold"
            assert max(map(len, lines)) <= columns
        shown[columns] = dict(zip(TABLES, "\n".join(lines).split("= ")[1:], strict=True))
    for tables in shown.values():
        text = {name: "".join(table.split()) for name, table in tables.items()}
        assert all(name in text["services list"] for name in SERVICES)
        assert all(name in text["scripts list"] for name in (INDEX, GIVEN_UP, "3100_schema.sh"))
        assert REASON.replace(" ", "") in text["history list"]
        assert "2026.11.20-1.el9->2026.12.01-1.el9" in text["runs list"]
        assert INDEX in text["runs show 1"]
        assert "exitstatus1" in text["runs show 1"]
    narrow = shown[80]
    assert f"{INDEX}\n    2026-" in narrow["history list"], "a name above what is told of it"
    assert "\N{FULL BLOCK}" * 10 in narrow["runs list"]
    assert "continued 1 time" in narrow["runs show 1"]
    assert "by root" in narrow["runs show 1"]
    assert "downtime" in narrow["runs show 2"]
    assert "phase          backends-up" in narrow["runs show 2"]
    wide = shown[160]
    assert len(wide["services list"].strip().splitlines()) == 1 + 1 + len(SERVICES), "one line each"

    rows = bookshelf.run("runs", "list", env={"PYTHONIOENCODING": "ascii"}).expect(0).out.splitlines()
    assert len(rows) == 3, "in a pipe a row is a line"
    assert any(row.endswith("#" * 10) for row in rows), "a bar of what the stream can show"
