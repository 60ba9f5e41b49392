# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON without its secrets is JSON; a configuration tells its secrets and the files that hold them."""

import json
from typing import Any

import pytest
import yaml

from orchestrator.upgrade.bundle.redaction import Redactor
from orchestrator.upgrade.bundle.secret_documents import Found, redact_json, redact_json_lines, secrets_of

KNOWING = Redactor(["Planted-7f3a"])


@pytest.mark.parametrize(
    ("document", "left"),
    [
        ({"password": 'a"b'}, {"password": "[removed]"}),
        ({"password": 123456, "retries": 3}, {"password": "[removed]", "retries": 3}),
        ({"tokens": ["a", "b"], "x": [1, None]}, {"tokens": ["[removed]", "[removed]"], "x": [1, None]}),
        ({"argv": ["x", "--password", "a b"]}, {"argv": ["x", "--password", "[removed]"]}),
        ({"password": None, "secret": True}, {"password": None, "secret": True}),
        ({"text": "see Planted-7f3a\nTOKEN=x"}, {"text": "see [removed]\nTOKEN=[removed]"}),
        ({"Planted-7f3a": 1}, {"[removed]": 1}),
        ({"headers": {"Authorization": "Bearer x"}}, {"headers": {"Authorization": "[removed]"}}),
        ({"password_file": "/etc/x"}, {"password_file": "/etc/x"}),
    ],
)
def test_a_document_stays_one(document: Any, left: Any) -> None:
    clean, removed = redact_json(json.dumps(document), KNOWING)
    assert json.loads(clean) == left
    assert bool(removed) == (document != left)


def test_a_document_without_secrets_is_the_same_to_the_byte() -> None:
    text = '{"a":  1,\n "b": [ ]}\n'
    assert redact_json(text, KNOWING) == (text, 0)


def test_torn_lines_are_text() -> None:
    text = '{"event": "x", "password": "a"}\n{"password": "b", "tor'
    clean, removed = redact_json_lines(text, KNOWING)
    assert clean == '{"event": "x", "password": "[removed]"}\n{"password": "[removed]", "tor'
    assert removed == 2


def test_a_configuration_tells_its_secrets() -> None:
    document = yaml.safe_load("""
        environment: {DB_PASSWORD: one-1, PLAIN: x, URL: 'postgres://u:two%202@h/d'}
        services:
          web:
            command: [serve, --token, three-3, --secret=four-4]
            ready: [{http: {url: 'http://h/', headers: {Authorization: Bearer five-5}}}]
          cache: {ready: [{redis: {password_file: redis.pw}}]}
        credentials: {user: six-6}
    """)
    found = set(secrets_of(document))
    values = {one.text for one in found if not one.is_path}
    assert {"one-1", "two%202", "two 2", "three-3", "four-4", "Bearer five-5", "five-5", "six-6"} <= values
    assert not {"x", "serve", "http://h/"} & values
    assert {one for one in found if one.is_path} == {Found("redis.pw", is_path=True)}
