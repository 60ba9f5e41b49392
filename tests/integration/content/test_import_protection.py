# SPDX-License-Identifier: GPL-3.0-or-later
"""Vendors' products and custom ones stay apart, whatever an import brings: the cases of import-protection.yaml."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.content.catalog import organizations, products, repositories
from orchestrator.content.catalog.model import Organization, Product, ProductKind, Repository
from orchestrator.content.exports.manifest import ProductEntry
from orchestrator.errors import ExitCode
from tests.support.receiving import Server, server
from tests.support.sending import Sent, contents, of

CASES: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[2] / "cases" / "import-protection.yaml").read_text()
)


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("protection")) as found:
        yield found


@pytest.mark.parametrize("name", CASES)
def test_whose_content_goes_where(name: str, receiver: Server) -> None:
    case, organization = CASES[name], f"case{list(CASES).index(name)}"
    case = yaml.safe_load(yaml.safe_dump(case).replace("HOST", f"{organization}.example"))
    make(receiver, organization, case["here"])
    label, vendor = case["sent"]["label"], case["sent"].get("vendor")
    entry = ProductEntry(label, "vendor", "", *vendor) if vendor else ProductEntry(label, "custom")
    sending = of(Sent(f"{label}/web", contents(organization), type="deb"), products=(entry,))
    plan = receiver.plan(sending.media(), organization=organization)
    [item] = [item for item in plan.exports[0].items if item.kind == "repository"]
    assert f"{item.action} {item.name}" == case["becomes"], item
    assert case.get("because", "") in item.reason, item
    before = receiver.rows()[organization]
    outcome = receiver.run(sending.media(), organization=organization)
    if item.refused:
        assert outcome.exit_code is ExitCode.REFUSED
        assert receiver.rows()[organization] == before, "nothing was made"
        assert receiver.repository(item.name, organization) == {}
        assert item.hint or any(each.hint for each in plan.exports[0].refused)
    else:
        assert outcome.exit_code is ExitCode.DONE
        assert receiver.repository(item.name, organization) == sending.repositories[0].contents


def make(receiver: Server, organization: str, here: dict[str, Any]) -> None:
    with receiver.workspace.catalog.changing(receiver.workspace.actor) as session:
        organizations.create(session, Organization(organization))
        for label, said in here.items():
            vendor, content_id = said.get("vendor", ("", ""))
            kind = ProductKind.VENDOR if vendor else ProductKind.CUSTOM
            products.create(session, Product(organization, label, kind, vendor=vendor, content_id=content_id))
            for name, its in said.get("repositories", {}).items():
                upstream = {"baseurl": its["baseurl"]} if "baseurl" in its else {}
                repositories.create(
                    session,
                    Repository(
                        organization,
                        label,
                        name,
                        its.get("type", "deb"),
                        upstream=upstream,
                        source_url=its.get("source_url", ""),
                    ),
                )
