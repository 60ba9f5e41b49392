# SPDX-License-Identifier: GPL-3.0-or-later
"""Views and environments: what clients see, when it changes, what stays, and what a killed run leaves."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.cli.repository import client_config
from orchestrator.content import removal, showing, snapshotting, views
from orchestrator.content.catalog import environments, organizations, products, repositories, snapshots
from orchestrator.content.catalog import views as catalog_views
from orchestrator.content.catalog.model import Environment, Organization, Product, Repository, View
from orchestrator.content.generations import collect_garbage
from orchestrator.content.workspace import Workspace
from orchestrator.errors import Refused, UsageError
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
        found.publish("tools/nginx", deb("nginx"))
        found.publish("tools/redis", deb("redis"))
        with found.workspace.catalog.changing(TESTER) as session:
            for label, paths in (("web", ("tools/nginx",)), ("db", ("tools/redis",))):
                catalog_views.create(session, View(ORGANIZATION, label, repositories=paths))
            catalog_views.create(session, View(ORGANIZATION, "all", views=("web", "db")))
            environments.create(session, Environment(ORGANIZATION, "dev"))
            environments.create(session, Environment(ORGANIZATION, "prod", after="dev"))
        yield found


def publish(site: SnapshotSite, label: str = "web") -> showing.Shown:
    return views.publish(site.workspace, ORGANIZATION, label)


def promote(site: SnapshotSite, to: str, number: int | None = None, *, force: bool = False) -> showing.Shown:
    return views.promote(site.workspace, ORGANIZATION, "web", to, number=number, force=force)


def seen(site: SnapshotSite, environment: str, view: str = "web") -> set[str]:
    """The packages that clients of a view find."""
    place = site.workspace.shown(ORGANIZATION, environment, view)
    return {path.stem for path in place.glob("*/*/pool/main/*.deb")}


def test_a_version_is_shown_in_the_library_and_moves_on_by_promotions(site: SnapshotSite) -> None:
    assert publish(site).version.number == 1
    promote(site, "dev")
    site.publish("tools/nginx", deb("nginx", "nginx-extras"))
    assert publish(site).version.number == 2
    assert seen(site, "library") == {"nginx", "nginx-extras"}
    assert seen(site, "dev") == {"nginx"}
    promote(site, "dev")
    promote(site, "prod")
    assert seen(site, "prod") == {"nginx", "nginx-extras"}


def test_nothing_new_is_no_new_version(site: SnapshotSite) -> None:
    publish(site)
    again = publish(site)
    assert (again.version.number, again.made, again.changed) == (1, False, False)


def test_a_composed_view_holds_the_newest_versions_of_its_parts(site: SnapshotSite) -> None:
    with pytest.raises(Refused) as caught:
        publish(site, "all")
    assert [problem.where for problem in caught.value.problems] == ["web", "db"]
    publish(site)
    publish(site, "db")
    assert publish(site, "all").version.number == 1
    assert seen(site, "library", "all") == {"nginx", "redis"}


def test_a_version_comes_only_from_the_environment_before(site: SnapshotSite) -> None:
    publish(site)
    with pytest.raises(Refused, match="dev, from which prod takes, shows no version of web"):
        promote(site, "prod")
    with pytest.raises(Refused, match="dev shows no version of web, not version 1"):
        promote(site, "prod", 1)
    assert promote(site, "prod", 1, force=True).changed
    with pytest.raises(UsageError, match="nothing is promoted into library"):
        promote(site, "library")


def test_a_view_without_content_says_of_which_repositories(site: SnapshotSite) -> None:
    site.repository("tools/empty")
    with site.workspace.catalog.changing(TESTER) as session:
        catalog_views.update(session, View(ORGANIZATION, "web", repositories=("tools/empty", "tools/nginx")))
    with pytest.raises(Refused) as caught:
        publish(site)
    assert [problem.where for problem in caught.value.problems] == ["tools/empty"]


def test_what_a_version_shows_stays_whatever_becomes_of_the_repository(site: SnapshotSite) -> None:
    publish(site)
    for number in range(12):
        site.publish("tools/nginx", deb(f"nginx-{number}"))
    collect_garbage(site.workspace.pool)
    with site.workspace.catalog.reading() as session:
        repository = repositories.get(session, ORGANIZATION, "tools/nginx")
        numbers = {each.number for each in snapshots.all(session, repository)}
    assert 1 in numbers
    assert 2 not in numbers  # nothing refers to it
    lists = [path for path in (site.workspace.root / "inventories").rglob("*") if path.is_file()]
    assert len(lists) == len(numbers) + 1  # the other repository's
    assert seen(site, "library") == {"nginx"}


def test_links_that_a_killed_run_did_not_make_are_made_by_the_next(site: SnapshotSite) -> None:
    publish(site)
    site.workspace.shown(ORGANIZATION, "library", "web").unlink()
    showing.mend_links(site.workspace, ORGANIZATION)
    assert seen(site, "library") == {"nginx"}


def test_two_runs_change_what_is_shown_one_after_the_other(site: SnapshotSite) -> None:
    publish(site)
    with ThreadPoolExecutor(1) as other:
        with showing.alone(site.workspace, ORGANIZATION):
            promoting = other.submit(promote, site, "dev")
            with pytest.raises(TimeoutError):
                promoting.result(0.3)
            with site.workspace.catalog.reading() as session:
                assert not environments.get(session, ORGANIZATION, "dev").shows
        assert promoting.result().changed


def test_of_two_publications_at_once_what_is_newest_is_shown_in_the_end(site: SnapshotSite) -> None:
    with site.workspace.catalog.changing(TESTER) as session:
        both = ("tools/nginx", "tools/redis")
        catalog_views.update(session, View(ORGANIZATION, "web", repositories=both))
    asked = 0

    def meanwhile() -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:  # the first repository was looked at
            site.publish("tools/nginx", deb("newer"))
            publish(site)
        return False

    with Workspace(site.workspace.settings, TESTER, stop=meanwhile) as slow:
        shown = views.publish(slow, ORGANIZATION, "web")
    assert asked > 2
    assert (shown.version.number, shown.made) == (1, False)
    assert seen(site, "library") >= {"newer", "redis"}


def test_a_view_is_hidden_and_can_be_deleted_then_with_all_that_it_had(site: SnapshotSite) -> None:
    publish(site)
    promote(site, "dev")
    views.remove_view(site.workspace, ORGANIZATION, "all")
    with pytest.raises(Refused) as caught:
        views.remove_view(site.workspace, ORGANIZATION, "web")
    assert "environment hide web --from" in caught.value.hint
    for environment in ("library", "dev"):
        showing.hide(site.workspace, ORGANIZATION, "web", environment)
        assert not site.workspace.shown(ORGANIZATION, environment, "web").is_symlink()
        with pytest.raises(Refused):
            showing.hide(site.workspace, ORGANIZATION, "web", environment)
    views.remove_view(site.workspace, ORGANIZATION, "web")
    assert not (site.workspace.root / "views" / ORGANIZATION / "web").exists()
    removal.remove_repository(site.workspace, ORGANIZATION, "tools/nginx")


def test_what_a_killed_run_left_shown_is_shown_no_more(site: SnapshotSite) -> None:
    publish(site)
    promote(site, "dev")
    root = site.workspace.root
    with site.workspace.catalog.changing(TESTER) as session:
        environments.hide(session, ORGANIZATION, "dev", "web")
        environments.delete(session, ORGANIZATION, "prod")
    (root / "views" / ORGANIZATION / "gone" / "1").mkdir(parents=True)
    (root / "views" / ORGANIZATION / "web" / "7").mkdir()
    foreign = root / "published" / ORGANIZATION / "prod" / "theirs"
    foreign.parent.mkdir()
    foreign.symlink_to("/nowhere")
    showing.mend_links(site.workspace, ORGANIZATION)
    assert not site.workspace.shown(ORGANIZATION, "dev", "web").is_symlink()
    assert seen(site, "library") == {"nginx"}
    assert foreign.is_symlink()
    assert [path.name for path in (root / "views" / ORGANIZATION).glob("[a-z]*/*")] == ["1"]


def test_all_links_are_relative_so_that_the_root_may_be_mounted_elsewhere(site: SnapshotSite) -> None:
    publish(site)
    root = site.workspace.root
    links = [path for path in (root / "published").rglob("*") if path.is_symlink()]
    links += [path for path in (root / "views").rglob("*") if path.is_symlink()]
    assert links
    assert not [link for link in links if os.path.isabs(os.readlink(link))]


def test_a_repository_goes_when_nothing_refers_to_it_and_its_files_with_it(site: SnapshotSite) -> None:
    publish(site)
    with pytest.raises(Refused):
        removal.remove_repository(site.workspace, ORGANIZATION, "tools/nginx")
    assert seen(site, "library") == {"nginx"}
    site.publish("tools/spare", deb("spare"))
    place = site.workspace.place(site.repository("tools/spare"))
    assert place.exists()
    removal.remove_repository(site.workspace, ORGANIZATION, "tools/spare")
    assert not place.is_symlink()
    assert not (site.workspace.root / "repositories" / f"{ORGANIZATION}+tools+spare").exists()


def test_what_a_killed_removal_left_is_not_the_content_of_a_new_repository(site: SnapshotSite) -> None:
    site.publish("tools/spare", deb("spare"))
    spare = site.repository("tools/spare")
    with site.workspace.catalog.changing(TESTER) as session:
        repositories.delete(session, ORGANIZATION, "tools/spare")
    (site.workspace.root / "repositories" / ".half.gone" / "1").mkdir(parents=True)
    removal.clear_away(site.workspace)
    assert not site.workspace.place(spare).is_symlink()
    assert sorted(path.name for path in (site.workspace.root / "repositories").iterdir()) == [
        f"{ORGANIZATION}+tools+nginx",
        f"{ORGANIZATION}+tools+redis",
    ]
    with pytest.raises(Refused, match="no content yet"):
        snapshotting.take(site.workspace, site.repository("tools/spare"))


def test_a_store_that_another_run_works_in_is_left(site: SnapshotSite) -> None:
    site.publish("tools/spare", deb("spare"))
    store = site.workspace.store(site.repository("tools/spare"))
    with site.workspace.catalog.changing(TESTER) as session:
        repositories.delete(session, ORGANIZATION, "tools/spare")
    with store.lock():
        removal.clear_away(site.workspace)
        assert store.current() is not None
    removal.clear_away(site.workspace)
    assert store.current() is None


def test_nothing_of_an_organization_goes_into_a_mirror_of_its_name(site: SnapshotSite) -> None:
    published = site.workspace.root / "published"
    (published / "other").symlink_to(published / ORGANIZATION)
    with site.workspace.catalog.changing(TESTER) as session:
        organizations.create(session, Organization("other"))
        products.create(session, Product("other", "tools"))
        made = Repository("other", "tools", "nginx", "deb")
        repositories.create(session, made)
    with pytest.raises(Refused, match="is a mirror"):
        site.workspace.store(made)


def test_versions_and_views_and_environments_go_when_nothing_shows_them(site: SnapshotSite) -> None:
    publish(site)
    site.publish("tools/nginx", deb("nginx", "more"))
    publish(site)
    views.remove_versions(site.workspace, ORGANIZATION, "web", [1])
    with pytest.raises(Refused):
        views.remove_versions(site.workspace, ORGANIZATION, "web", [2])
    promote(site, "dev")
    with pytest.raises(Refused):
        views.remove_environment(site.workspace, ORGANIZATION, "dev")  # prod takes from it
    promote(site, "prod")
    views.remove_environment(site.workspace, ORGANIZATION, "prod")
    assert not site.workspace.shown(ORGANIZATION, "prod", "web").exists()
    views.remove_environment(site.workspace, ORGANIZATION, "dev")
    assert seen(site, "library") == {"nginx", "more"}


def test_a_client_is_told_of_what_a_view_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], site: SnapshotSite
) -> None:
    publish(site)
    promote(site, "dev")
    config = tmp_path / "orchestrator.yaml"
    config.write_text(f"content: {{root: {site.workspace.root}, organization: {ORGANIZATION}}}\n")
    client_config("tools/nginx", view="web", environment="dev", config=config)
    place = site.workspace.shown(ORGANIZATION, "dev", "web") / "tools" / "nginx"
    told = capsys.readouterr().out
    assert f"URIs: {place.as_uri()}/" in told
    assert f"/{ORGANIZATION}-tools-nginx.sources" in told


def test_a_snapshot_that_is_there_is_not_taken_twice(site: SnapshotSite) -> None:
    repository = site.repository("tools/nginx")
    first = snapshotting.take(site.workspace, repository)
    assert snapshotting.take(site.workspace, repository) == first
    store = site.workspace.store(repository)
    with store.lock():
        store.pin(())  # as a run would leave it that was killed before the pin was written
    assert snapshotting.take(site.workspace, repository) == first
    assert store.pins() == {first.number}
