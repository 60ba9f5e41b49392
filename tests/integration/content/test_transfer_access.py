# SPDX-License-Identifier: GPL-3.0-or-later
"""Who learns our secrets, and what stands between us and a server: TLS, proxies, HTTP/2, real nginx."""

import base64
import hashlib
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.content.fetching import Ending
from orchestrator.content.model import Digest
from orchestrator.content.source import Access, Common
from orchestrator.content.transfer.engine import Transfer
from orchestrator.content.transfer.policy import Backoff
from orchestrator.content.transfer.requests import Request, Result
from orchestrator.errors import Invalid
from tests.support.fault_server import FaultServer, always, fault_server, redirect, status
from tests.support.requirements import require
from tests.support.servers import accepts, free_port, running, server_directory, wait_until

DATA = b"content" * 1000
NO_ACCESS, NO_RETRIES = Access(), Common(retries=0)
SECRETS = ("authorization", "x-token", "cookie", "x-any")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FaultServer]:
    with fault_server(tmp_path / "www") as server:
        server.write("file", DATA)
        yield server


@pytest.fixture
def other(tmp_path: Path) -> Iterator[FaultServer]:
    with fault_server(tmp_path / "www", host="127.0.0.2") as server:
        yield server


@pytest.fixture
def access(tmp_path: Path) -> Access:
    (tmp_path / "password").write_text("s3cret:@/\n")
    headers = (("X-Token", "t0ken"), ("Cookie", "a=b"), ("X-Any", "thing"))
    return Access(user="me", password_file=tmp_path / "password", headers=headers)


def request(tmp_path: Path, *urls: str, access: Access = NO_ACCESS) -> Request:
    digest = Digest("sha256", hashlib.sha256(DATA).hexdigest())
    return Request(urls, tmp_path / "a.part", len(DATA), digest, access=access)


def fetch(asked: Request, common: Common = NO_RETRIES) -> Result:
    engine = Transfer(common, backoff=Backoff(0.01, 0.02))
    try:
        (result,) = engine.fetch([asked])
    finally:
        engine.close()
    return result


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def secrets(server: FaultServer) -> set[str]:
    return {name for asked in server.asked for name in asked.headers if name in SECRETS}


def test_the_own_host_gets_credentials_and_headers(
    server: FaultServer, tmp_path: Path, access: Access
) -> None:
    assert fetch(request(tmp_path, server.url + "file", access=access)).ending is Ending.DONE
    headers = server.asked[0].headers
    assert headers["authorization"] == basic("me", "s3cret:@/")
    assert (headers["x-token"], headers["cookie"], headers["x-any"]) == ("t0ken", "a=b", "thing")


def test_a_redirect_to_another_host_gets_none_of_them(
    server: FaultServer, other: FaultServer, tmp_path: Path, access: Access
) -> None:
    server.faults["/file"] = always(redirect(other.url + "file"))
    assert fetch(request(tmp_path, server.url + "file", access=access)).ending is Ending.DONE
    assert secrets(server) == set(SECRETS)
    assert secrets(other) == set()


def test_a_redirect_to_another_port_and_back_gets_them_only_at_home(
    server: FaultServer, tmp_path: Path, access: Access
) -> None:
    with fault_server(tmp_path / "www") as neighbour:
        server.faults["/file"] = [redirect(neighbour.url + "file")]
        neighbour.faults["/file"] = always(redirect(server.url + "file"))
        assert fetch(request(tmp_path, server.url + "file", access=access)).ending is Ending.DONE
        assert secrets(neighbour) == set()
        assert all(asked.headers["x-token"] == "t0ken" for asked in server.asked)


def test_a_fail_over_to_another_host_gets_none_of_them(
    server: FaultServer, other: FaultServer, tmp_path: Path, access: Access
) -> None:
    server.faults["/file"] = always(status(503))
    other.faults["/file"] = [status(401)]
    asked = request(tmp_path, server.url + "file", other.url + "file", access=access)
    result = fetch(asked)
    assert result.ending is Ending.UNREACHABLE
    assert "credentials are for another host" in result.why
    assert secrets(other) == set()


def test_the_owner_decides_whose_they_are(
    server: FaultServer, other: FaultServer, tmp_path: Path, access: Access
) -> None:
    asked = request(tmp_path, server.url + "file", access=access)._replace(owner=other.url + "list")
    assert fetch(asked).ending is Ending.DONE
    assert secrets(server) == set()


def test_credentials_in_an_address_are_used_there_and_shown_nowhere(
    server: FaultServer, other: FaultServer, tmp_path: Path
) -> None:
    address = server.url.replace("//", "//me:pa%2Fss@") + "file"
    server.faults["/file"] = [redirect("/file"), redirect(other.url + "file")]
    result = fetch(request(tmp_path, address))
    assert result.ending is Ending.DONE
    assert [asked.headers["authorization"] for asked in server.asked] == [basic("me", "pa/ss")] * 2
    assert secrets(other) == set()
    server.faults["/file"] = always(status(403))
    result = fetch(request(tmp_path, address))
    assert result.ending is Ending.FORBIDDEN
    assert "pa" not in result.why.replace("path", "")
    assert result.url == server.url + "file"


def test_credentials_that_a_redirect_brings_are_not_used(
    server: FaultServer, other: FaultServer, tmp_path: Path
) -> None:
    server.faults["/file"] = always(redirect(other.url.replace("//", "//u:p@") + "file"))
    result = fetch(request(tmp_path, server.url + "file"))
    assert result.url == other.url + "file"
    assert secrets(other) == set()


def test_netrc_is_read_for_the_own_host_alone(
    server: FaultServer, other: FaultServer, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("".join(f"machine {host} login me password pw\n" for host in (server.host, other.host)))
    server.faults["/file"] = always(redirect(other.url + "file"))
    assert fetch(request(tmp_path, server.url + "file", access=Access(netrc=netrc))).ending is Ending.DONE
    assert server.asked[0].headers["authorization"] == basic("me", "pw")
    assert secrets(other) == set()


def test_secrets_do_not_stay_on_a_handle_for_the_next_request(
    server: FaultServer, other: FaultServer, tmp_path: Path, access: Access
) -> None:
    engine = Transfer(Common(connections=1, retries=0))
    mine = request(tmp_path, server.url + "file", access=access)
    theirs = request(tmp_path, other.url + "file")._replace(target=tmp_path / "b.part")
    assert {result.ending for result in engine.fetch([mine, theirs])} == {Ending.DONE}
    assert secrets(other) == set()
    engine.close()


def test_a_password_that_cannot_be_read_is_the_users_matter(server: FaultServer, tmp_path: Path) -> None:
    access = Access(user="me", password_file=tmp_path / "none")
    with pytest.raises(Invalid, match=r"cannot read the password in .*none"):
        fetch(request(tmp_path, server.url + "file", access=access))
    assert not server.asked


# TLS ----------------------------------------------------------------------------------------------


def openssl(directory: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.crt; server.crt and .key for loopback; client.crt and .key."""
    require(shutil.which("openssl") is not None, "this needs openssl")
    place = tmp_path_factory.mktemp("tls")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(place, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=ca")
    for name in ("server", "client"):
        openssl(place, "req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (place / "names").write_text("subjectAltName=IP:127.0.0.1,IP:127.0.0.2,DNS:localhost\n")
        sign = ("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial")
        openssl(place, *sign, "-out", f"{name}.crt", "-extfile", "names", "-days", "2")
    return place


def tls(certificates: Path, *, client: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.crt", certificates / "server.key")
    if client:
        context.load_verify_locations(certificates / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_a_server_is_believed_with_its_ca_alone(certificates: Path, tmp_path: Path) -> None:
    with fault_server(tmp_path / "www", tls=tls(certificates)) as server:
        server.write("file", DATA)
        result = fetch(request(tmp_path, server.url + "file"), Common(retries=5))
        assert result.ending is Ending.UNREACHABLE
        assert "certificate is not trusted" in result.why
        assert result.attempts == 1
        access = Access(ca=certificates / "ca.crt")
        assert fetch(request(tmp_path, server.url + "file", access=access)).ending is Ending.DONE


def test_a_client_certificate_is_shown_to_the_own_host_alone(certificates: Path, tmp_path: Path) -> None:
    access = Access(
        ca=certificates / "ca.crt",
        client_certificate=certificates / "client.crt",
        client_key=certificates / "client.key",
    )
    with (
        fault_server(tmp_path / "www", tls=tls(certificates, client=True)) as server,
        fault_server(tmp_path / "www", tls=tls(certificates, client=True), host="127.0.0.2") as other,
    ):
        server.write("file", DATA)
        assert fetch(request(tmp_path, server.url + "file", access=access)).ending is Ending.DONE
        server.faults["/file"] = always(redirect(other.url + "file"))
        result = fetch(request(tmp_path, server.url + "file", access=access))
        assert result.ending is Ending.UNREACHABLE
        assert not other.asked
        lost = Access(ca=certificates / "ca.crt", client_certificate=tmp_path / "none")
        assert fetch(request(tmp_path, server.url + "file", access=lost)).ending is Ending.UNREACHABLE


# Real servers -------------------------------------------------------------------------------------

NGINX = """
daemon off; worker_processes 1; pid {here}/pid; error_log {here}/error.log;
events {{}}
http {{
  log_format f '$connection $server_protocol $status "$http_range"'; access_log {here}/access.log f;
  client_body_temp_path {here}; proxy_temp_path {here}; fastcgi_temp_path {here};
  uwsgi_temp_path {here}; scgi_temp_path {here};
  server {{
    listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl http2; root {here}/www;
    ssl_certificate {certificates}/server.crt; ssl_certificate_key {certificates}/server.key;
  }}
}}
"""


class Nginx:
    def __init__(self, here: Path, certificates: Path) -> None:
        self.here, self.plain, self.tls = here, free_port(), free_port()
        (here / "www").mkdir()
        text = NGINX.format(here=here, plain=self.plain, tls=self.tls, certificates=certificates)
        (here / "nginx.conf").write_text(text)

    def log(self, requests: int) -> list[list[str]]:
        """The requests, once there are so many: nginx writes its line after the reply has gone out."""
        wait_until(lambda: len(self._log()) >= requests, f"{requests} requests in nginx's log")
        return self._log()

    def _log(self) -> list[list[str]]:
        lines = (self.here / "access.log").read_text().splitlines(keepends=True)
        return [line.split() for line in lines if "HTTP/" in line and line.endswith("\n")]


@pytest.fixture
def nginx(certificates: Path) -> Iterator[Nginx]:
    program = shutil.which("nginx")
    require(program is not None, "this needs nginx (Debian: nginx-light)")
    with server_directory() as here:
        server = Nginx(here, certificates)
        argv = [str(program), "-e", f"{here}/error.log", "-c", f"{here}/nginx.conf"]
        with running(argv, here / "out") as process:
            wait_until(lambda: accepts(server.plain), "nginx accepts connections", process)
            yield server


def many(nginx: Nginx, tmp_path: Path, base: str, access: Access) -> list[Request]:
    requests = []
    for number in range(100):
        data = str(number).encode() * 500
        (nginx.here / "www" / str(number)).write_bytes(data)
        digest = Digest("sha256", hashlib.sha256(data).hexdigest())
        target = tmp_path / f"{number}.part"
        requests.append(Request((f"{base}{number}",), target, len(data), digest, access=access))
    return requests


def test_connections_are_kept(nginx: Nginx, tmp_path: Path) -> None:
    engine = Transfer(Common(connections=3))
    requests = many(nginx, tmp_path, f"http://127.0.0.1:{nginx.plain}/", Access())
    assert {result.ending for result in engine.fetch(requests)} == {Ending.DONE}
    engine.close()
    assert len({line[0] for line in nginx.log(len(requests))}) <= 3


def test_http2_carries_all_requests_on_one_connection(
    nginx: Nginx, tmp_path: Path, certificates: Path
) -> None:
    engine = Transfer(Common(connections=16))
    access = Access(ca=certificates / "ca.crt")
    requests = many(nginx, tmp_path, f"https://127.0.0.1:{nginx.tls}/", access)
    assert {result.ending for result in engine.fetch(requests)} == {Ending.DONE}
    engine.close()
    lines = nginx.log(len(requests))
    assert {line[1] for line in lines} == {"HTTP/2.0"}
    assert len({line[0] for line in lines}) == 1


def test_nginx_gives_the_rest_of_a_file(nginx: Nginx, tmp_path: Path) -> None:
    (nginx.here / "www" / "file").write_bytes(DATA)
    (tmp_path / "a.part").write_bytes(DATA[:4000])
    result = fetch(request(tmp_path, f"http://127.0.0.1:{nginx.plain}/file"))
    assert result.ending is Ending.DONE
    assert nginx.log(1)[-1][2:] == ["206", '"bytes=4000-"']


TINYPROXY = 'Port {port}\nListen 127.0.0.1\nLogFile "{here}/log"\nLogLevel Connect\nAllow 127.0.0.1\n'


@pytest.fixture
def proxy() -> Iterator[tuple[str, Path]]:
    """Its address and its log."""
    program = shutil.which("tinyproxy")
    require(program is not None, "this needs tinyproxy")
    with server_directory() as here:
        port = free_port()
        (here / "conf").write_text(TINYPROXY.format(port=port, here=here))
        with running([str(program), "-d", "-c", str(here / "conf")], here / "out") as process:
            wait_until(lambda: accepts(port), "tinyproxy accepts connections", process)
            yield f"http://127.0.0.1:{port}", here / "log"


def through(log: Path) -> str:
    return log.read_text() if log.exists() else ""


def test_the_sources_proxy_comes_first(
    server: FaultServer, tmp_path: Path, proxy: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    common = Common(retries=0, http_proxy="http://127.0.0.1:2")
    asked = request(tmp_path, server.url + "file", access=Access(proxy=proxy[0]))
    assert fetch(asked, common).ending is Ending.DONE
    assert "via" in server.asked[0].headers


def test_the_common_proxy_is_chosen_by_scheme(
    server: FaultServer, certificates: Path, tmp_path: Path, proxy: tuple[str, Path]
) -> None:
    asked = request(tmp_path, server.url + "file")
    assert fetch(asked, Common(retries=0, http_proxy=proxy[0])).ending is Ending.DONE
    assert "via" in server.asked[-1].headers
    with fault_server(tmp_path / "www", tls=tls(certificates)) as secure:
        access = Access(ca=certificates / "ca.crt")
        asked = request(tmp_path, secure.url + "file", access=access)._replace(target=tmp_path / "b.part")
        common = Common(retries=0, http_proxy="http://127.0.0.1:1", https_proxy=proxy[0])
        assert fetch(asked, common).ending is Ending.DONE
        wait_until(lambda: f"CONNECT 127.0.0.1:{secure.port}" in through(proxy[1]), "tinyproxy's log has it")


def test_the_environment_names_a_proxy_and_who_does_without(
    server: FaultServer, tmp_path: Path, proxy: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy[0])
    assert fetch(request(tmp_path, server.url + "file")).ending is Ending.DONE
    assert "via" in server.asked[-1].headers
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert fetch(request(tmp_path, server.url + "file")).ending is Ending.DONE
    assert "via" not in server.asked[-1].headers


def test_a_proxys_password_is_not_shown(tmp_path: Path) -> None:
    access = Access(proxy="http://me:hidden@127.0.0.1:1")
    result = fetch(request(tmp_path, "http://127.0.0.1:2/x", access=access))
    assert result.ending is Ending.UNREACHABLE
    assert "hidden" not in result.why
