# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of examples/notify: mail in a real SMTP conversation, a webhook over real HTTP, both run by upgrades."""

import contextlib
import email.policy
import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.config.load import load_config
from tests.support.product import ROOT, Product

EXAMPLES = ROOT / "examples" / "notify"


@dataclass
class Recorder:
    """`answers`: statuses of the next HTTP requests; 200 when there are none left."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    posts: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)


@contextlib.contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


@pytest.fixture
def smtp() -> Iterator[Recorder]:
    made = Recorder()

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 recorder")
            while line := self.rfile.readline():
                word = line.split(None, 1)[0].upper()
                if word == b"RCPT":
                    made.recipients.append(line.decode().strip().upper())
                if word == b"DATA":
                    self.say("354 go on")
                    self.take()
                self.say("221 bye" if word == b"QUIT" else "250 ok")
                if word == b"QUIT":
                    return

        def take(self) -> None:
            data = b""
            while (line := self.rfile.readline()) != b".\r\n":
                data += line.removeprefix(b".")
            made.mails.append(BytesParser(EmailMessage, policy=email.policy.default).parsebytes(data))

        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server, serving(server):
        made.port = server.server_address[1]
        yield made


@pytest.fixture
def web() -> Iterator[Recorder]:
    made = Recorder()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            made.posts.append((self.path, dict(self.headers), body))
            self.send_response(made.answers.pop(0) if made.answers else 200)
            self.send_header("Location", f"http://127.0.0.1:{made.port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quietly."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, serving(server):
        made.port = server.server_address[1]
        yield made


def notify(product: Product, *command: str) -> None:
    product.config["notify"] = [{"command": list(command)}]
    product.save()


def webhook(product: Product, server: Recorder, *more: str, mode: int = 0o600) -> Path:
    path = product.directory / "webhook"
    path.write_text(
        "\n".join(["# where to", f"url = http://127.0.0.1:{server.port}/hook", "token = t0ken", *more])
    )
    path.chmod(mode)
    notify(product, str(EXAMPLES / "webhook"), str(path))
    return path


def notes(product: Product) -> list[str]:
    return [event["text"] for event in product.journal() if event["event"] == "note"]


# Mail -------------------------------------------------------------------------------------------------


def test_mails_tell_the_start_and_the_end(product: Product, smtp: Recorder) -> None:
    notify(
        product,
        str(EXAMPLES / "mail"),
        "--server",
        f"127.0.0.1:{smtp.port}",
        "ops@example.org",
        "me@example.org",
    )
    product.step("upgrade/0010_a.sh")
    product.run("upgrade", "-y").expect(0)
    assert notes(product) == []
    start, end = smtp.mails
    assert "Toy on" in start["Subject"]
    assert "an upgrade to 2.0 begins" in start["Subject"]
    assert "is done after" in end["Subject"]
    assert smtp.recipients[:2] == ["RCPT TO:<OPS@EXAMPLE.ORG>", "RCPT TO:<ME@EXAMPLE.ORG>"]
    assert start["References"] == end["References"], "they belong together"
    assert end["Auto-Submitted"] == "auto-generated"


def test_a_mail_of_a_failure_holds_the_output_and_the_way_on(product: Product, smtp: Recorder) -> None:
    notify(product, str(EXAMPLES / "mail"), "--server", f"127.0.0.1:{smtp.port}", "ops@example.org")
    product.step("upgrade/0010_a.sh", "echo no such table: b\u00fccher; exit 3")
    product.run("upgrade", "-y").expect(1)
    text = smtp.mails[-1].get_content().replace("\r\n", "\n")
    assert "upgrade/0010_a.sh: exit status 3\n    no such table: b\u00fccher\n" in text
    assert f"next:\n    orchestrator upgrade --config {product.file}\n" in text


def test_a_mail_that_cannot_be_sent_is_a_note(product: Product) -> None:
    notify(product, str(EXAMPLES / "mail"), "--server", "127.0.0.1:1", "ops@example.org")
    product.step("upgrade/0010_a.sh")
    product.run("upgrade", "-y").expect(0)
    assert [("mail: exit status 1: " in note, "Connection refused" in note) for note in notes(product)] == [
        (True, True),
        (True, True),
    ]


# Webhook ----------------------------------------------------------------------------------------------


def test_a_webhook_gets_the_whole_document_with_the_token(product: Product, web: Recorder) -> None:
    webhook(product, web)
    product.step("upgrade/0010_a.sh")
    product.run("upgrade", "-y").expect(0)
    assert [(path, body["moment"]) for path, _, body in web.posts] == [("/hook", "start"), ("/hook", "end")]
    assert all(headers["Authorization"] == "Bearer t0ken" for _, headers, _ in web.posts)
    assert notes(product) == []


def test_a_webhook_of_a_chat_gets_one_line(product: Product, web: Recorder) -> None:
    webhook(product, web, "body = text")
    product.step("upgrade/0010_a.sh", "exit 1")
    product.run("upgrade", "-y").expect(1)
    [_, (_, _, body)] = web.posts
    assert set(body) == {"text"}
    assert "stopped in phase backends-down" in body["text"]


def test_a_server_that_is_busy_is_asked_again(product: Product, web: Recorder) -> None:
    web.answers = [503]
    webhook(product, web)
    product.step("default/0010_a.sh")
    product.run("upgrade", "-y").expect(0)
    assert [body["moment"] for _, _, body in web.posts] == ["start", "start", "end"]
    assert notes(product) == []


def test_a_webhook_that_fails_is_a_note_and_the_run_is_done(product: Product, web: Recorder) -> None:
    web.answers = [403, 302]
    webhook(product, web)
    product.step("upgrade/0010_a.sh")
    product.run("upgrade", "-y").expect(0)
    assert notes(product) == [
        f"notify (start): {EXAMPLES}/webhook: exit status 1: the server answers 403 Forbidden",
        f"notify (end): {EXAMPLES}/webhook: exit status 1: the server answers 302 Found",
    ]
    assert [path for path, _, _ in web.posts] == ["/hook", "/hook"], "the token goes nowhere else"


def test_a_token_that_others_can_read_is_not_used(product: Product, web: Recorder) -> None:
    path = webhook(product, web, mode=0o644)
    product.step("upgrade/0010_a.sh")
    product.run("upgrade", "-y").expect(0)
    assert web.posts == []
    assert f"{path} is readable by others: chmod 600 {path}" in notes(product)[0]


# The page ---------------------------------------------------------------------------------------------


def test_the_configuration_in_the_page_is_valid(tmp_path: Path) -> None:
    page = (EXAMPLES / "README.md").read_text()
    text = page.partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "orchestrator.yaml").write_text(text)
    config = load_config(tmp_path / "orchestrator.yaml")
    assert {Path(one.command[0]).name for one in config.notify} == {"mail", "webhook"}
    assert set(yaml.safe_load(text)) == {"notify"}
