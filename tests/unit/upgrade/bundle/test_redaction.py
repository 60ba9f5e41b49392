# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret that is known, named or shaped like one is left in a text; what stands around it is."""

import base64
import html
import json
import random
import re
import shlex
import string
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

import pytest

from orchestrator.upgrade.bundle.redaction import Redactor, secrets_in

PLAIN = Redactor()
SECRET = "Planted-7f3a"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEPlantedabcdefghijklmnopqrstuvwxyz0123456789+/ABCDEFGHIJKLMNO\nPlanted==\n-----END RSA PRIVATE KEY-----\n"

# Texts with the secret, and what must be left of each.
NAMED = {
    "DB_PASSWORD=Planted-7f3a": "DB_PASSWORD=[removed]",
    "export API_TOKEN='Planted-7f3a' X=1": "export API_TOKEN='[removed]' X=1",
    'export API_TOKEN="Planted-7f3a two" X=1': 'export API_TOKEN="[removed]" X=1',
    "password: Planted-7f3a and more": "password: [removed]",
    "  - client-secret: 'it''s Planted-7f3a'": "  - client-secret: '[removed]'",
    "Generated password: Planted-7f3a": "Generated password: [removed]",
    '{"password": "a\\"Planted-7f3a", "x": 1}': '{"password": "[removed]", "x": 1}',
    '{"accessKey":"Planted-7f3a","x":"y"}': '{"accessKey":"[removed]","x":"y"}',
    '{"pin_token": 748309, "x": 1}': '{"pin_token": "[removed]", "x": 1}',
    '{"m": "{\\"password\\": \\"Planted-7f3a b\\", \\"x\\": 1}"}': '{"m": "{\\"password\\": \\"[removed]\\", \\"x\\": 1}"}',
    '{"tokens": ["Planted-7f3a", "b"], "x": 1}': '{"tokens": ["[removed]"], "x": 1}',
    "{user: a, password: Planted-7f3a, x: 1}": "{user: a, password: [removed], x: 1}",
    "tool --password Planted-7f3a --user x": "tool --password [removed] --user x",
    "tool --password=Planted-7f3a --user x": "tool --password=[removed] --user x",
    '["tool", "--password", "Planted-7f3a b", "-x"]': '["tool", "--password", "[removed]", "-x"]',
    '["tool", "--password=Planted-7f3a b", "-x"]': '["tool", "--password=[removed]", "-x"]',
    "['tool', '--token', 'Planted-7f3a']": "['tool', '--token', '[removed]']",
    'Environment="DB_PASSWORD=Planted-7f3a b" "C=d"': 'Environment="DB_PASSWORD=[removed]" "C=d"',
    "Environment=DB_PASSWORD=Planted-7f3a C=d": "Environment=DB_PASSWORD=[removed] C=d",
    "argv[]=/bin/x --api-key Planted-7f3a on ; pid=1": "argv[]=/bin/x --api-key [removed] on ; pid=1",
    'curl -H "Authorization: Bearer Planted-7f3a" http://x/': 'curl -H "Authorization: [removed]" http://x/',
    "> Proxy-Authorization: Basic Planted-7f3a": "> Proxy-Authorization: [removed]",
    "Set-Cookie: session=Planted-7f3a; Path=/": "Set-Cookie: [removed]",
    "X-Api-Key: Planted-7f3a": "X-Api-Key: [removed]",
    "Server=x;Password=Planted-7f3a;Database=y": "Server=x;Password=[removed];Database=y",
    "host=x password=Planted-7f3a dbname=y": "host=x password=[removed] dbname=y",
    "GET /x?token=Planted-7f3a&y=1 HTTP/1.1": "GET /x?token=[removed]&y=1 HTTP/1.1",
    "<password>Planted-7f3a</password>": "<password>[removed]</password>",
    "ALTER USER x WITH PASSWORD 'Planted-7f3a';": "ALTER USER x WITH PASSWORD '[removed]';",
    "CREATE USER x IDENTIFIED BY 'Planted-7f3a';": "CREATE USER x IDENTIFIED BY '[removed]';",
    "requirepass Planted-7f3a": "requirepass [removed]",
    "SetCredential=db:Planted-7f3a": "SetCredential=[removed]",
    "machine h login u password Planted-7f3a": "machine h login u password [removed]",
    "PASSWORD='it'\\''s Planted-7f3a' next": "PASSWORD='[removed]' next",
    'time=1 level=info password="Planted-7f3a b" user=x': 'time=1 level=info password="[removed]" user=x',
    "'db_password' => 'Planted-7f3a',": "'db_password' => '[removed]',",
    "spring.datasource.password=Planted-7f3a b": "spring.datasource.password=[removed]",
}
SHAPED = {
    "to postgresql://u:Planted-7f3a@h:5432/d?x=1 now": "to postgresql://u:[removed]@h:5432/d?x=1 now",
    "redis://:Planted-7f3a@h/0": "redis://:[removed]@h/0",
    "amqp://u:p@Planted-7f3a@h/": "amqp://u:[removed]@h/",
    "https://Planted7f3aPlanted7f3aPlanted@git.example/x": "https://[removed]@git.example/x",
    "curl -u bob:Planted-7f3a http://x": "curl -u bob:[removed] http://x",
    "mysql -u root -pPlanted-7f3a db": "mysql -u root -p[removed] db",
    "redis-cli -a Planted-7f3a ping": "redis-cli -a [removed] ping",
    "openssl rsa -passin pass:Planted-7f3a -in x": "openssl rsa -passin pass:[removed] -in x",
    "localhost:5432:*:bob:Planted-7f3a": "localhost:5432:*:bob:[removed]",
    "sent Bearer Planted-7f3a to": "sent Bearer [removed] to",
    "jdbc:oracle:thin:scott/Planted-7f3a@//h:1521/x": "jdbc:oracle:thin:scott/[removed]@//h:1521/x",
}
TOKENS = (
    "ghp_" + "aB3" * 12,
    "github_pat_" + "aB3_" * 12,
    "glpat-" + "aB3-" * 6,
    "AKIA" + "ABCD" * 4,
    "xoxb-123456789012-abcDEF",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "sk_live_" + "abc123" * 3,
    "hvs." + "CAES" * 8,
    "$6$saltsalt$" + "abcDEF123./" * 4,
)
# Words that name no secret, or tell of one: nothing is taken away.
HARMLESS = (
    "10:15:00 starting token refresh",
    'password authentication failed for user "x" (using password: YES)',
    "password_file: /etc/x/password",
    "private_key: /etc/ssl/private/x.key",
    "tokenType=bearer max-password-length: 64",
    "PWD=/opt/app",
    "http://host:8080/a@b and git@example.org:x.git",
    "00:11:22:33:44:55",
    "root:x:0:0:root:/root:/bin/bash",
    "file.c:12:5: error: expected expression",
    "Basic settings of the Bearer protocol",
    "PASSWORD=${DB_PASSWORD}",
    "secret: null",
    "LoadCredential=db:/etc/db.secret",
    "use --password-file FILE or --token-type X",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
)


@pytest.mark.parametrize(("text", "left"), [*NAMED.items(), *SHAPED.items()])
def test_a_named_or_shaped_secret_goes_and_its_name_stays(text: str, left: str) -> None:
    assert PLAIN.redact(text) == (left, 1)
    assert PLAIN.redact(f"{text}\nnext\n") == (f"{left}\nnext\n", 1)
    assert PLAIN.redact(left) == (left, 0), "what is clean stays as it is"


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_is_known_by_its_shape(token: str) -> None:
    assert PLAIN.redact(f"got {token}, fine") == ("got [removed], fine", 1)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert PLAIN.redact(text) == (text, 0)


@pytest.mark.parametrize("before", ["", "  ", "Nov 20 10:15:00 host app[12]: ", "| "])
def test_a_private_key_goes_whatever_stands_before_its_lines(before: str) -> None:
    text = "".join(f"{before}{line}\n" for line in ["begin", *PEM.splitlines(), "the end"])
    left, removed = PLAIN.redact(text)
    assert "Planted" not in left
    assert removed == 1
    assert left.startswith(f"{before}begin\n{before}[removed]")
    assert left.endswith(f"{before}the end\n")


def test_a_private_key_on_one_line_goes() -> None:
    text = json.dumps({"a": 1, "text": PEM, "b": 2})
    assert PLAIN.redact(text) == ('{"a": 1, "text": "[removed]\\n", "b": 2}', 1)


def test_a_private_key_without_its_beginning_goes() -> None:
    left, removed = PLAIN.redact(PEM.partition("\n")[2] + "after\n")
    assert "MIIEPlanted" not in left
    assert removed
    assert left.endswith("after\n")


def test_a_key_that_never_ends_takes_no_more_than_its_lines() -> None:
    text = PEM.rpartition("-----END")[0] + "2026-11-20 10:00 all is well here\nand so on, of course\n"
    assert PLAIN.redact(text)[0] == "[removed]\n2026-11-20 10:00 all is well here\nand so on, of course\n"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a: 1\npassword: |\n  Planted-7f3a\n  more\nb: 2\n", "a: 1\npassword: [removed]\n  [removed]\n  [removed]\nb: 2\n"),
        ("tokens:\n- Planted-7f3a\n- b\nx: 1\n", "tokens:\n- [removed]\n- [removed]\nx: 1\n"),
        ("- --password\n- Planted-7f3a\n- x\n", "- --password\n- [removed]\n- x\n"),
        ("x --password \\\n   Planted-7f3a\nx\n", "x --password \\\n   [removed]\nx\n"),
    ],
)  # fmt: skip
def test_a_value_below_its_name_goes(text: str, left: str) -> None:
    assert PLAIN.redact(text)[0] == left
    assert PLAIN.redact(left) == (left, 0)


# Known values -------------------------------------------------------------------------------------

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in a URL": lambda value: quote(value, safe=""),
    "in a path of a URL": quote,
    "in a form": quote_plus,
    "in a URL with small letters": lambda value: re.sub(
        "%..", lambda found: found[0].lower(), quote(value, safe="")
    ),
    "in Base64": lambda value: base64.b64encode(value.encode()).decode(),
    "in Base64 for URLs": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "in JSON": json.dumps,
    "in JSON, in Unicode": lambda value: json.dumps(value, ensure_ascii=False),
    "in JSON in JSON": lambda value: json.dumps(json.dumps(value)),
    "in a shell": shlex.quote,
    "in a shell, escaped": lambda value: "".join(c if c.isalnum() else f"\\{c}" for c in value),
    "in HTML": html.escape,
    "in YAML": lambda value: value.replace("'", "''"),
    "in hexadecimal": lambda value: value.encode().hex(),
    "in Python": repr,
}


def planted() -> Iterator[str]:
    """Secrets of all lengths and characters, the same in every run."""
    chosen = random.Random(7)
    alphabets = (
        string.ascii_letters + string.digits,
        string.ascii_letters + string.punctuation,
        string.digits + " '\"\\/$%&+=@:;,<>|",
        "äöüß€" + string.ascii_lowercase,
    )
    for number in range(120):
        alphabet = alphabets[number % len(alphabets)]
        yield "".join(chosen.choices(alphabet, k=chosen.randint(6, 40)))


@pytest.mark.parametrize("form", FORMS)
def test_no_known_value_is_left_in_any_form(form: str) -> None:
    for value in planted():
        dressed = FORMS[form](value)
        for text in (dressed, f"told {dressed} to all\n", f"x={dressed};y", f'{{"a": "{dressed}"}}'):
            left, removed = Redactor([value]).redact(text)
            assert dressed not in left
            assert value not in left
            assert removed


def test_basic_authentication_of_a_known_password_is_found_behind_any_user() -> None:
    for user in ("", "a", "ab", "abc", "postgres"):
        encoded = base64.b64encode(f"{user}:Planted-7f3a".encode()).decode()
        left, removed = Redactor([SECRET]).redact(f"sent {encoded} there")
        assert removed == 1
        assert "Planted" not in str(base64.b64decode(left.split()[1].replace("[removed]", "") + "==="))


def test_lines_of_a_known_value_are_each_known() -> None:
    left, _ = Redactor(["first line\nsecond line"]).redact("a first line\nb\nsecond line, alone\n")
    assert left == "a [removed]\nb\n[removed], alone\n"


def test_a_value_that_any_text_may_hold_is_removed_where_it_is_named_only() -> None:
    redactor = Redactor(["admin", "8080", ""])
    assert redactor.redact("admin on 8080") == ("admin on 8080", 0)
    assert redactor.redact("password=admin") == ("password=[removed]", 1)


def test_a_text_in_pieces_loses_what_the_whole_loses() -> None:
    text = "a\n" + PEM + "x Planted-7f3a\npassword: |\n  Planted-7f3a\nend"
    whole, number = Redactor([SECRET]).redact(text)
    for size in (1, 2, 7, 50, 1000):
        pieces = [text.encode()[at : at + size] for at in range(0, len(text), size)]
        streamed = list(Redactor([SECRET]).stream(pieces))
        assert b"".join(piece for piece, _ in streamed).decode() == whole
        assert sum(removed for _, removed in streamed) == number


def test_bytes_of_no_encoding_are_kept() -> None:
    data = b"\xff\xfe password=Planted-7f3a \x00\xe4\r\nx\r\n"
    assert (
        b"".join(piece for piece, _ in PLAIN.stream([data]))
        == b"\xff\xfe password=[removed] \x00\xe4\r\nx\r\n"
    )


@pytest.mark.parametrize(
    "unit", ["a", "password", "password=", "password: ", 'password="', "--password ", "a://", "-----BEGIN ", "{", "\\", "x:1:y:", "Bearer ", "curl -u ", '{"token":"x",', "eyJ", "mysql -p", "$1$"]
)  # fmt: skip
def test_no_text_takes_long(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    began = time.process_time()
    PLAIN.redact(text)
    assert time.process_time() - began < 3


def test_the_rules_tell_the_secrets_they_find() -> None:
    assert secrets_in("tool --password 'a b' http://u:pw@h/\nTOKEN=xyz") == {"a b", "pw", "xyz"}
