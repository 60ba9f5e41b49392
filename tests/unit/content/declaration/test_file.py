# SPDX-License-Identifier: GPL-3.0-or-later
"""content.yaml: what it declares, and everything that is wrong with one at once."""

import shutil
from pathlib import Path
from textwrap import dedent

import pytest

from orchestrator.content.catalog.model import Environment, Product, ProductKind, Repository, View
from orchestrator.content.declaration.file import load_declaration
from orchestrator.errors import Invalid
from tests.support.openpgp import key

GOOD = """
    organizations:
      acme:
        name: ACME Corp.
        keys: {nginx: nginx.asc}
        products:
          tools:
            baseurl: "http://mirror.example.org/"
            repositories:
              nginx: {type: deb, baseurl: nginx, repositories: ["stable main"], keys: [nginx]}
          rhel:
            kind: vendor
            vendor: redhat
            content_id: "479"
            repositories: {base: {type: rpm}}
        views:
          web: {repositories: [tools/nginx]}
          all: {views: [web]}
        environments: [dev, prod]
"""


def load(tmp_path: Path, text: str) -> list[object]:
    shutil.copy(key().public_file, tmp_path / "nginx.asc")
    (tmp_path / "content.yaml").write_text(dedent(text))
    return list(load_declaration(tmp_path / "content.yaml").items.values())


def test_all_that_is_declared_is_there(tmp_path: Path) -> None:
    found = load(tmp_path, GOOD)
    assert Product("acme", "rhel", ProductKind.VENDOR, vendor="redhat", content_id="479") in found
    upstream = {"baseurl": "nginx", "repositories": ["stable main"]}
    assert Repository("acme", "tools", "nginx", "deb", upstream=upstream) in found
    assert Repository("acme", "rhel", "base", "rpm") in found
    assert View("acme", "all", views=("web",)) in found
    assert Environment("acme", "dev") in found
    assert Environment("acme", "prod", after="dev") in found


def test_environments_may_be_a_tree(tmp_path: Path) -> None:
    text = GOOD.replace("environments: [dev, prod]", "environments: {dev: {}, qa: {}, prod: {after: qa}}")
    found = load(tmp_path, text)
    assert Environment("acme", "qa") in found
    assert Environment("acme", "prod", after="qa") in found


def test_everything_that_is_wrong_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    text = (
        GOOD.replace("baseurl: nginx,", "baseurll: nginx,")
        .replace("kind: vendor\n", "kind: custom\n")
        .replace("views: [web]", "views: [wbe]")
        .replace("keys: [nginx]", "keys: [ngnix]")
        .replace("nginx.asc", "gone.asc")
        .replace("[tools/nginx]", "[tools/ngnix]")
    )
    with pytest.raises(Invalid) as caught:
        load(tmp_path, text)
    where = {problem.where.removeprefix("organizations.acme.") for problem in caught.value.problems}
    assert {
        "keys.nginx",
        "products.tools.repositories.nginx.baseurll",
        "products.tools.repositories.nginx.keys[0]",
        "products.rhel",
        "views.web.repositories[0]",
        "views.all.views[0]",
    } <= where


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("organizations:", "organisations:", "organizations"),
        ("name: ACME Corp.", "nme: ACME Corp.", "nme"),
        ("type: rpm", "type: npm", "type"),
        ("[dev, prod]", "{dev: {after: nowhere}}", "no environment nowhere"),
        ("[dev, prod]", "{library: {}}", "there already"),
        ("acme:", "'a b':", "a b"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(Invalid) as caught:
        load(tmp_path, GOOD.replace(old, new))
    assert told in " ".join(map(str, caught.value.problems))


def test_a_key_that_is_none_is_told_with_its_place(tmp_path: Path) -> None:
    text = GOOD.replace("nginx.asc", "content.yaml")
    with pytest.raises(Invalid) as raised:
        load(tmp_path, text)
    assert [problem.where for problem in raised.value.problems] == ["organizations.acme.keys.nginx"]


def test_paths_beside_the_file_are_known_wherever_they_are_read(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret")
    (tmp_path / "password").chmod(0o600)
    auth = "auth: {user: me, password_file: password}, keys: [nginx]"
    found = load(tmp_path, GOOD.replace("keys: [nginx]", auth))
    [upstream] = [each.upstream for each in found if isinstance(each, Repository) and each.label == "nginx"]
    assert upstream["auth"] == {"user": "me", "password_file": str(tmp_path / "password")}
