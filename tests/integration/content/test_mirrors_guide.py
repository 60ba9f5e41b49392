# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/mirrors.md and README.md say what happens: configurations load, commands print what stands there, and real
nginx serves a mirror with the guide's snippet.
"""

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import content
from tests.support.apt_client import AptClient
from tests.support.documentation import ADDRESS, Workplace, blocks, text_of, workplace
from tests.support.servers import nginx_server

GUIDE = "mirrors.md"
PAGES = (GUIDE, "../README.md")
GONE = "ubuntu/pool/main/n/nginx/nginx-common_1.22.1-9_all.deb"
# What is not the same everywhere: sizes of signed files, dates, widths of columns.
_SIZE = re.compile(r"\b\d+(\.\d+)? ([KMG]i)?B\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workplace]:
    with workplace(tmp_path) as made:
        yield made


def here(text: str, work: Workplace) -> str:
    """With the places of this machine for those of the page."""
    return text.replace("/srv/built", f"{work.place}/built").replace("/srv/", f"{work.place}/srv/")


def as_in_the_page(text: str, work: Workplace) -> str:
    text = text.replace(f"{work.place}/srv/", "/srv/").replace(work.address, ADDRESS)
    return "\n".join(
        " ".join(line.split()) for line in _TIME.sub("TIME", _SIZE.sub("SIZE", text)).splitlines()
    )


def configurations(page: str) -> list[str]:
    return [text for language, text in blocks(page) if language == "yaml" and "sources:" in text]


@pytest.mark.parametrize("page", PAGES)
def test_every_configuration_loads(work: Workplace, page: str) -> None:
    (work.place / "keys" / "site.password").touch(0o600)
    for text in configurations(page):
        assert content.load_mirrors(work.configure(here(text, work))).notes == ()


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_print_what_stands_below_them(work: Workplace, page: str) -> None:
    (work.place / "bin").mkdir()
    program = work.place / "bin" / "orchestrator"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m orchestrator "$@"\n')
    program.chmod(0o755)
    gone = work.www / GONE
    for language, text in parts(page):
        if text in configurations(page):
            work.configure(here(text, work))
        elif language == "now":
            away = work.place / gone.name
            shutil.move(*((gone, away) if "gone" in text else (away, gone)))
        elif language == "console":
            for command, told in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
                found = run(here(command, work), work)
                assert as_in_the_page(found, work) == as_in_the_page(told, work), command


def parts(page: str) -> Iterator[tuple[str, str]]:
    """Configurations, commands, and remarks of what happens to the upstreams between them."""
    pattern = r"^```(yaml|console)\n(.*?)^```$|^<!-- (now): (.*?) -->$"
    found = re.findall(pattern, text_of(page), re.MULTILINE | re.DOTALL)
    for language, block, now, remark in found:
        yield (language or now, block or remark)


def run(command: str, work: Workplace) -> str:
    environment = {
        **os.environ,
        "PATH": f"{work.place}/bin:{os.environ['PATH']}",
        "PYTHONPATH": str(Path(__file__).resolve().parents[3]),
        "ORCHESTRATOR_MIRRORS": str(work.place / "mirrors.yaml"),
    }
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def test_nginx_serves_a_mirror_with_the_snippet(work: Workplace, tmp_path: Path) -> None:
    mirrors = content.load_mirrors(work.configure(here(configurations(GUIDE)[0], work)))
    (server_block,) = [text for language, text in blocks(GUIDE) if language == "nginx"]
    inside = server_block.partition("{")[2].rpartition("}")[0]
    directives = re.sub(r"^ *(listen|server_name|root) .*\n", "", inside, flags=re.MULTILINE)
    with content.Engine(mirrors) as engine:
        content.clone(engine, mirrors.sources, ["mos"], content.Wish())
        with nginx_server(mirrors.common.destination / "published", directives) as nginx:
            apt = AptClient(tmp_path / "client", content.client_config(engine, "mos", f"{nginx.url}/mos"))
            apt.update()
            assert "python3-mos" in apt.get("-s", "install", "python3-mos").stdout

            def cached(path: str) -> str:
                with urllib.request.urlopen(f"{nginx.url}/mos/{path}") as answer:
                    return str(answer.headers["Cache-Control"])

            tree = mirrors.common.destination / "published" / "mos"
            (by_hash, *_) = tree.glob("dists/**/by-hash/SHA256/*")
            (deb, *_) = tree.glob("pool/**/*.deb")
            assert cached("dists/mos/InRelease") == "no-cache"
            assert cached(str(by_hash.relative_to(tree))).endswith("immutable")
            assert cached(str(deb.relative_to(tree))) == "public, max-age=86400"
