# SPDX-License-Identifier: GPL-3.0-or-later
"""From the catalog that is to the one that a file declares: what changes, in which order."""

from collections.abc import Mapping

from orchestrator.content.catalog.model import Environment, Key, Organization, Product, Repository, View
from orchestrator.content.declaration.state import Action, Change, Item, State, difference, state_of

ACME = Organization("acme", "ACME")
TOOLS = Product("acme", "tools")
NGINX = Repository("acme", "tools", "nginx", "deb", upstream={"repositories": ["stable main"]})
LIBRARY = Environment("acme", "library", after="")


def state(*items: Item, keys: Mapping[str, tuple[str, ...]] | None = None) -> State:
    return state_of((ACME, LIBRARY, *items), keys or {})


def told(changes: list[Change]) -> list[str]:
    return [f"{change.action} {change.kind} {change.name}" for change in changes]


def test_nothing_changes_where_all_is_as_declared() -> None:
    both = state(TOOLS, NGINX, View("acme", "web", repositories=("tools/nginx",)))
    assert difference(both, both) == []


def test_a_list_and_a_tuple_say_the_same() -> None:
    other = Repository("acme", "tools", "nginx", "deb", upstream={"repositories": ("stable main",)})
    assert difference(state(TOOLS, NGINX), state(TOOLS, other)) == []


def test_what_others_need_is_made_before_them_whatever_the_order_of_the_file() -> None:
    declared = state(
        Environment("acme", "prod", after="dev"),
        Environment("acme", "dev"),
        View("acme", "all", views=("web",)),
        View("acme", "web", repositories=("tools/nginx",)),
        NGINX,
        Key("acme", "nginx", "-----BEGIN"),
        TOOLS,
    )
    assert told(difference(declared, state_of([], {}))) == [
        "create organization acme",
        "create product acme/tools",
        "create key acme/nginx",
        "create repository acme/tools/nginx",
        "create view acme/web",
        "create view acme/all",
        "create environment acme/dev",
        "create environment acme/prod",
    ]


def test_a_change_names_what_is_and_what_is_to_be() -> None:
    declared = state(Product("acme", "tools", name="Tools", baseurl="http://new/"))
    (change,) = difference(declared, state(Product("acme", "tools", baseurl="http://old/")))
    assert change.action is Action.UPDATE
    assert change.fields == (("name", "", "Tools"), ("baseurl", "http://old/", "http://new/"))


def test_the_values_of_headers_are_not_told() -> None:
    was, is_ = (
        Repository("acme", "tools", "nginx", "deb", upstream={"headers": {"X-Token": value}, "newest": 1})
        for value in ("hush", "quiet")
    )
    (change,) = difference(state(TOOLS, is_), state(TOOLS, was))
    assert change.fields == (
        ("upstream", "headers: X-Token: ..., newest: 1", "headers: X-Token: ..., newest: 1"),
    )


def test_other_keys_are_a_change_of_the_repository() -> None:
    path = "acme/tools/nginx"
    declared, found = state(TOOLS, NGINX, keys={path: ("b",)}), state(TOOLS, NGINX, keys={path: ("a",)})
    (change,) = difference(declared, found)
    assert (change.fields, change.keys) == ((("keys", "a", "b"),), ("b",))


def test_what_set_source_and_promotions_did_stays() -> None:
    found = state(
        Product("acme", "tools", source_url="file:///media/"),
        Environment("acme", "dev", shows={"web": 3}),
    )
    assert difference(state(TOOLS, Environment("acme", "dev")), found) == []


def test_what_is_not_declared_stays_unless_it_is_to_be_pruned_and_then_goes_in_the_opposite_order() -> None:
    found = state(
        TOOLS,
        NGINX,
        View("acme", "web", repositories=("tools/nginx",)),
        View("acme", "all", views=("web",)),
        Environment("acme", "dev"),
        Environment("acme", "prod", after="dev"),
    )
    assert difference(state(), found) == []
    assert told(difference(state(), found, prune=True)) == [
        "delete environment acme/prod",
        "delete environment acme/dev",
        "delete view acme/all",
        "delete view acme/web",
        "delete repository acme/tools/nginx",
        "delete product acme/tools",
    ]


def test_pruning_leaves_other_organizations_and_mirrors() -> None:
    other, theirs = Organization("other"), Product("other", "theirs")
    mirrors = Product("acme", "mirrors")
    mirror = Repository("acme", "mirrors", "web", "deb", mirror="web")
    found = state(other, theirs, mirrors, mirror)
    assert told(difference(state(mirrors), found, prune=True)) == []
