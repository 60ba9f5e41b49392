# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalog brought to what a file or a table declares: what goes with `prune`, and tables that are wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.content import product_table, views
from orchestrator.content.catalog import environments, products, repositories
from orchestrator.content.catalog import views as catalog_views
from orchestrator.content.catalog.model import Environment, Organization, Product, Repository, View
from orchestrator.content.declaration.applying import apply, changes_to
from orchestrator.content.declaration.state import Item, state_of
from orchestrator.errors import Invalid, Refused
from tests.support.snapshot_site import (
    ORGANIZATION,
    TESTER,
    SnapshotSite,
    catalog_template,
    deb,
    snapshot_site,
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return catalog_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def site(tmp_path: Path, template: Path) -> Iterator[SnapshotSite]:
    with snapshot_site(tmp_path / "content", template) as found:
        yield found


def prune_to(site: SnapshotSite, *items: Item) -> None:
    apply(
        site.workspace,
        changes_to(site.workspace, state_of([Organization(ORGANIZATION), *items], {}), prune=True),
    )


def imported(site: SnapshotSite, file: Path, text: str) -> None:
    file.write_text(text)
    apply(site.workspace, product_table.changes_from(site.workspace, ORGANIZATION, file))


def test_what_is_pruned_is_shown_no_more_wherever_it_was_shown(site: SnapshotSite) -> None:
    site.publish("tools/nginx", deb("nginx"))
    with site.workspace.catalog.changing(TESTER) as session:
        for label in ("web", "old"):
            catalog_views.create(session, View(ORGANIZATION, label, repositories=("tools/nginx",)))
        environments.create(session, Environment(ORGANIZATION, "dev"))
    for label in ("web", "old"):
        views.publish(site.workspace, ORGANIZATION, label)
        views.promote(site.workspace, ORGANIZATION, label, "dev")
    nginx = Repository(ORGANIZATION, "tools", "nginx", "deb", "The nginx")
    prune_to(
        site, Product(ORGANIZATION, "tools"), nginx, View(ORGANIZATION, "web", repositories=("tools/nginx",))
    )
    published = site.workspace.root / "published" / ORGANIZATION
    assert sorted(str(path.relative_to(published)) for path in published.glob("*/*")) == [
        "library/default",
        "library/web",
    ]
    assert not (published / "dev").exists()
    assert [path.name for path in (site.workspace.root / "views" / ORGANIZATION).glob("[a-z]*")] == ["web"]


def test_pruning_leaves_the_mirrors_with_their_product(site: SnapshotSite) -> None:
    with site.workspace.catalog.changing(TESTER) as session:
        products.create(session, Product(ORGANIZATION, "mirrors"))
        repositories.create(session, Repository(ORGANIZATION, "mirrors", "a", "deb", mirror="a"))
        products.create(session, Product(ORGANIZATION, "spare"))
    prune_to(site)
    with site.workspace.catalog.reading() as session:
        assert [each.label for each in products.all(session, ORGANIZATION)] == ["mirrors"]


def test_a_table_has_several_addresses_of_a_repository_in_one_column(
    site: SnapshotSite, tmp_path: Path
) -> None:
    both = ["http://one.example.org/a", "http://two.example.org/a"]
    site.repository("tools/nginx")
    upstream = {"baseurl": both, "repositories": ["stable main"], "unsigned": True}
    with site.workspace.catalog.changing(TESTER) as session:
        before = repositories.get(session, ORGANIZATION, "tools/nginx")
        repositories.update(
            session, Repository(ORGANIZATION, "tools", "nginx", "deb", before.name, upstream=upstream)
        )
    table = product_table.to_csv(site.workspace, ORGANIZATION)
    (tmp_path / "table.csv").write_text(table)
    assert product_table.changes_from(site.workspace, ORGANIZATION, tmp_path / "table.csv") == []
    imported(site, tmp_path / "table.csv", table.replace("; http://two.example.org/a", ""))
    with site.workspace.catalog.reading() as session:
        found = repositories.get(session, ORGANIZATION, "tools/nginx").upstream
    assert found["baseurl"] == "http://one.example.org/a"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("product,title\ntools,x\n", "names columns"),
        (f"product,product_name\ntools,{'x' * 200_000}\n", "field larger"),
        ("product,repository,type\ntools,nginx,zip\n", "table.csv has errors"),
    ],
)
def test_a_table_that_is_wrong_is_refused(site: SnapshotSite, tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        imported(site, tmp_path / "table.csv", text)
    assert said in f"{caught.value.message} {caught.value.hint}"


def test_keys_of_a_line_without_a_repository_mean_nothing(site: SnapshotSite, tmp_path: Path) -> None:
    imported(site, tmp_path / "table.csv", "product,keys\ntools,archive\n")
    with site.workspace.catalog.reading() as session:
        assert [each.label for each in products.all(session, ORGANIZATION)] == ["tools"]


def test_a_key_that_is_not_there_changes_nothing(site: SnapshotSite, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no key"):
        imported(
            site,
            tmp_path / "table.csv",
            "product,repository,type,url,suites,keys\ntools,nginx,deb,http://a.example.org,a main,archive\n",
        )
    with site.workspace.catalog.reading() as session:
        assert not products.all(session, ORGANIZATION)
