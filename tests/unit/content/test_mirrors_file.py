# SPDX-License-Identifier: GPL-3.0-or-later
"""mirrors.yaml: every error at once with its path, the original tool's file too, no secret repeated."""

import dataclasses
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.content import mirrors_model, source
from orchestrator.content.mirrors_file import find_mirrors, load_mirrors
from orchestrator.content.placeholders import list_address
from orchestrator.content.source import Common, Filter, Mirrors, Source
from orchestrator.errors import Invalid
from tests.support.nobody import as_nobody, public_directory

DEB = {
    "name": "a",
    "type": "deb",
    "baseurl": "http://a.example/d",
    "repositories": ["s main"],
    "unsigned": True,
}
RPM = {"name": "a", "type": "rpm", "baseurl": "http://a.example/r", "repositories": ["os"], "unsigned": True}
SECRET = "hunter2"


class Writer:
    """Writes a file and reads it with the project's own loader."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "mirrors.yaml"
        (directory / "own.key").touch(0o600)

    def load(self, written: str | dict[str, Any]) -> Mirrors:
        self.path.write_text(written if isinstance(written, str) else yaml.safe_dump(written))
        return load_mirrors(self.path)

    def source(self, base: dict[str, Any] = DEB, **more: Any) -> Source:
        return self.load({"sources": [{**base, **more}]}).sources[0]

    def refused(self, written: str | dict[str, Any]) -> Invalid:
        with pytest.raises(Invalid) as caught:
            self.load(written)
        return caught.value

    def problems(self, written: str | dict[str, Any]) -> list[str]:
        return [str(problem) for problem in self.refused(written).problems]

    def problems_of(self, base: dict[str, Any] = DEB, **more: Any) -> list[str]:
        """Of one source; a value None takes the key away."""
        raw = {key: value for key, value in {**base, **more}.items() if value is not None}
        return self.problems({"sources": [raw]})


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path)


# Finding and reading --------------------------------------------------------------------------------------


def test_the_option_comes_before_the_variable_and_that_before_etc() -> None:
    environment = {"ORCHESTRATOR_MIRRORS": "/from/variable"}
    assert find_mirrors(Path("/from/option"), environment) == Path("/from/option")
    assert find_mirrors(None, environment) == Path("/from/variable")
    assert find_mirrors(None, {"ORCHESTRATOR_MIRRORS": ""}) == Path("/etc/orchestrator/mirrors.yaml")


def test_a_missing_file_is_told_with_the_ways_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no mirrors file at") as caught:
        load_mirrors(tmp_path / "none.yaml")
    assert "--config FILE or $ORCHESTRATOR_MIRRORS" in caught.value.hint


@pytest.mark.parametrize("written", ["", "- a", "text", "5"])
def test_what_is_no_mapping_is_refused(writer: Writer, written: str) -> None:
    assert "must be a mapping of keys with `sources`" in writer.refused(written).message


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{}", "sources: is missing"),
        ("sources: []", "sources: Tuple should have at least 1 item"),
        ("sources: {a: b}", "sources: takes a list"),
        ("sources: [a]", "sources[0]: takes a mapping of keys"),
        ("sources: [null]", "sources[0]: takes a mapping of keys"),
    ],
)
def test_sources_that_are_none_are_refused(writer: Writer, written: str, told: str) -> None:
    assert writer.problems(written)[0].startswith(told)


def test_the_example_of_the_documentation_loads(writer: Writer) -> None:
    (writer.directory / "keys").mkdir()
    for name in ("mos.asc", "ubuntu.asc", "centos.asc"):
        (writer.directory / "keys" / name).touch()
    mirrors = writer.load(
        """
        common: {threads: 10, connections: 16, ignore_error_count: 2, retries: 5, http_proxy: null, https_proxy: null,
                 destination: /var/lib/orchestrator/content, keep: 3, rate_limit: null}
        versions: {ubuntu_version: jammy, centos_version: "9"}
        sources:
          - name: mos
            osname: ubuntu
            type: deb
            baseurl: "http://mirror.example.org/ubuntu/mos"
            repositories: ["mos main restricted", "mos-updates main restricted"]
            architectures: [amd64]
            requirements: [ubuntu-standard, "nginx (>= 1.22)"]
            keys: [keys/mos.asc]
          - name: ubuntu
            osname: ubuntu
            type: deb
            master: mos
            baseurl: "http://archive.example.org/ubuntu"
            repositories: ["{ubuntu_version} main universe", "{ubuntu_version}-updates main universe"]
            keys: [keys/ubuntu.asc]
          - name: centos
            osname: centos
            type: rpm
            baseurl: "http://mirror.example.org/centos/{centos_version}"
            repositories: [os, updates]
            keys: [keys/centos.asc]
        """
    )
    mos, ubuntu, centos = mirrors.sources
    assert mirrors.common == Common()
    (note,) = mirrors.notes
    assert "sources[1]: its metadata is written anew and will not be signed" in note
    assert (mos.partial, ubuntu.partial, centos.partial) == (False, True, False)
    assert mos.requirements == ("ubuntu-standard", "nginx (>= 1.22)")
    assert ubuntu.repositories == ("jammy main universe", "jammy-updates main universe")
    assert ubuntu.keys == (writer.directory / "keys" / "ubuntu.asc",)
    assert ubuntu.baseurls == ("http://archive.example.org/ubuntu/",)
    assert centos.baseurls == ("http://mirror.example.org/centos/9/",)
    assert centos.repositories == ("os", "updates")


def test_defaults_are_those_of_the_plain_values(writer: Writer) -> None:
    read = writer.source()
    for field in dataclasses.fields(Source):
        if field.name not in ("name", "type", "baseurls", "repositories", "unsigned"):
            assert getattr(read, field.name) == field.default, field.name
    assert writer.load({"sources": [DEB]}).common == Common()
    written = set(mirrors_model.Source.model_fields) - {"baseurl", "auth", "headers", "proxy"}
    assert written == {field.name for field in dataclasses.fields(Source)} - {"baseurls", "access"}
    assert set(mirrors_model.Common.model_fields) == {field.name for field in dataclasses.fields(Common)}
    access = {field.name for field in dataclasses.fields(source.Access)}
    assert set(mirrors_model.Auth.model_fields) == access - {"headers", "proxy"}


# Values ---------------------------------------------------------------------------------------------------


def test_sizes_durations_and_shares_are_read(writer: Writer) -> None:
    common = {"rate_limit": "10M", "connect_timeout": "5s", "stall_timeout": "2m", "destination": "content"}
    mirrors = writer.load({"common": common, "sources": [{**DEB, "max_shrink": "25%"}]})
    assert mirrors.common.rate_limit == 10 << 20
    assert (mirrors.common.connect_timeout, mirrors.common.stall_timeout) == (5, 120)
    assert mirrors.common.destination == writer.directory / "content"
    assert mirrors.sources[0].max_shrink == 0.25


def test_everything_that_can_be_said_of_a_source_arrives(writer: Writer) -> None:
    for name in ("key.asc", "password", "cert.pem", "key.pem", "ca.pem", "tell"):
        (writer.directory / name).touch(0o700)
    read = writer.source(
        baseurl=["http://a.example/d", "https://b.example/d/"],
        partial=True,
        requirements=[" nginx  (>= 1.22) "],
        unsigned=False,
        keys=["key.asc"],
        auth={
            "user": "me",
            "password_file": "password",
            "client_certificate": "cert.pem",
            "client_key": "key.pem",
            "ca": "ca.pem",
        },
        headers={"X-Who": "me and you"},
        proxy="http://proxy.example:3128",
        include=["ng*", {"section": "web"}],
        exclude=[{"regex": "-dbg$", "source": "nginx"}],
        newest=2,
        weak_dependencies=True,
        alternatives="all",
        sources=True,
        installer=True,
        translations=["en", "pt_BR"],
        contents=True,
        sign_with="own.key",
        mode="rebuilt",
        notify=["./tell", "--all", ""],
        max_shrink=0,
    )
    beside = writer.directory
    assert read == Source(
        name="a",
        type="deb",
        baseurls=("http://a.example/d/", "https://b.example/d/"),
        repositories=("s main",),
        partial=True,
        requirements=("nginx (>= 1.22)",),
        keys=(beside / "key.asc",),
        access=source.Access(
            user="me",
            password_file=beside / "password",
            client_certificate=beside / "cert.pem",
            client_key=beside / "key.pem",
            ca=beside / "ca.pem",
            headers=(("X-Who", "me and you"),),
            proxy="http://proxy.example:3128",
        ),
        include=(Filter(name="ng*"), Filter(section="web")),
        exclude=(Filter(regex="-dbg$", source="nginx"),),
        newest=2,
        weak_dependencies=True,
        alternatives="all",
        sources=True,
        installer=True,
        translations=("en", "pt_BR"),
        contents=True,
        sign_with=beside / "own.key",
        mode="rebuilt",
        notify=(str(beside / "tell"), "--all", ""),
        max_shrink=0.0,
    )


@pytest.mark.parametrize(
    ("base", "written", "read"),
    [
        (DEB, "sid   main  contrib", "sid main contrib"),
        (DEB, "bookworm/updates main", "bookworm/updates main"),
        (DEB, "a//b/", "a/b/"),
        (DEB, "./", "./"),
        (RPM, "a//b/", "a/b"),
        (RPM, ".", "."),
        (RPM, "./", "."),
    ],
)
def test_repositories_are_in_normal_form(
    writer: Writer, base: dict[str, Any], written: str, read: str
) -> None:
    assert writer.source(base, repositories=[written]).repositories == (read,)


def test_architectures_expand_repositories_of_rpm_sources(writer: Writer) -> None:
    read = writer.source(
        RPM, repositories=["os/{architecture}", "noarch"], architectures=["x86_64", "aarch64"]
    )
    assert read.repositories == ("os/x86_64", "os/aarch64", "noarch")


def test_names_of_lists_are_filled_in_when_they_are_used(writer: Writer) -> None:
    read = writer.load(
        {
            "versions": {"release": 39},
            "sources": [
                {
                    **{key: value for key, value in RPM.items() if key != "baseurl"},
                    "metalink": "https://m.example/?repo={repository}-{release}&arch={architecture}",
                    "repositories": ["fedora/{architecture}", "updates/{architecture}/more"],
                    "architectures": ["x86_64", "aarch64"],
                }
            ],
        }
    ).sources[0]
    assert read.metalink == "https://m.example/?repo={repository}-39&arch={architecture}"
    assert [list_address(read, repository) for repository in read.repositories] == [
        "https://m.example/?repo=fedora-39&arch=x86_64",
        "https://m.example/?repo=fedora-39&arch=aarch64",
        "https://m.example/?repo=updates/more-39&arch=x86_64",
        "https://m.example/?repo=updates/more-39&arch=aarch64",
    ]


def test_a_list_that_names_no_architecture_gets_the_repository_as_it_is(writer: Writer) -> None:
    where = {"baseurl": None, "mirrorlist": "http://m.example/{repository}"}
    raw = {key: value for key, value in {**RPM, **where, "repositories": ["os/x86_64"]}.items() if value}
    read = writer.load({"sources": [{**raw, "architectures": ["x86_64"]}]}).sources[0]
    assert list_address(read, "os/x86_64") == "http://m.example/os/x86_64"


@pytest.mark.parametrize(
    ("more", "partial"),
    [
        ({}, False),
        ({"requirements": ["nginx"]}, True),
        ({"requirements": ["nginx"], "partial": False}, False),
        ({"requirements": ["nginx"], "partial": True}, True),
    ],
)
def test_what_has_requirements_is_partial_unless_it_says_otherwise(
    writer: Writer, more: dict[str, Any], partial: bool
) -> None:
    assert writer.source(**more).partial is partial


def test_requirements_of_a_master_are_met_from_what_depends_on_it(writer: Writer) -> None:
    master = {**DEB, "name": "master", "requirements": ["nginx"]}
    mirrors = writer.load({"sources": [master, {**DEB, "master": "master"}]})
    assert [read.partial for read in mirrors.sources] == [False, True]


# Errors ---------------------------------------------------------------------------------------------------


def test_all_errors_are_told_at_once_each_with_its_path(writer: Writer) -> None:
    problems = writer.problems(
        {
            "comon": {},
            "common": {"thread": 1, "retries": -1, "rate_limit": "fast", "stall_timeout": "soon"},
            "versions": {"release": 22.1, "bad name": "x"},
            "sources": [
                {**DEB, "repositries": [], "newest": "all"},
                {**DEB, "baseurl": "http://a.example/{relase}", "auth": {"passwrd_file": "x"}, "master": "c"},
                {"name": "../c", "type": "apt"},
                {
                    **DEB,
                    "name": "d",
                    "exclude": ["ok", {"regex": "("}, {}, 5],
                    "master": "e",
                    "unsigned": False,
                },
            ],
        }
    )
    assert set(problems) == {
        "comon: unknown key (did you mean common?)",
        "common.thread: unknown key (did you mean threads?)",
        "common.retries: Input should be greater than or equal to 0",
        "common.rate_limit: 'fast' is not a size (like 512M, 10G)",
        "common.stall_timeout: 'soon' is not a duration (like 30s, 5m, 2h)",
        "versions.release: takes text; put quotes around numbers, dates, yes and no",
        "versions.bad name: is not a name: it takes letters, digits and _.@-, in quotes if it is a number",
        "sources[0].repositries: unknown key (did you mean repositories?)",
        "sources[0].newest: Input should be a valid integer",
        "sources[1].auth.passwrd_file: unknown key (did you mean password_file?)",
        "sources[1].name: the name a stands twice (also sources[0])",
        "sources[1].master: no source c",
        "sources[2].name: is not a name: it takes letters, digits and _.+~-, and begins with a letter or digit",
        "sources[2].type: Input should be 'deb', 'rpm' or 'file'",
        "sources[2].repositories: is missing",
        "sources[3].exclude[1].regex: not a regular expression: missing ), unterminated subpattern at position 0",
        "sources[3].exclude[2]: says nothing: it takes a name pattern, or some of name, regex, section, source",
        "sources[3].exclude[3]: takes a mapping of keys",
        "sources[3].master: no source e",
    }


def test_a_source_in_error_hides_no_error_of_another(writer: Writer) -> None:
    problems = writer.problems(
        {"sources": [{**DEB, "tpye": 1}, {**RPM, "name": "b", "repositories": ["../x"]}]}
    )
    assert problems == [
        "sources[0].tpye: unknown key (did you mean type?)",
        "sources[1].repositories[0]: '../x' leads out of its directory",
    ]


@pytest.mark.parametrize(
    ("base", "more", "told"),
    [
        (DEB, {"baseurl": None}, ": does not say where it is (it takes one of baseurl, mirrorlist and metalink)"),
        (DEB, {"mirrorlist": "http://m.example/"}, ": says baseurl and mirrorlist (it takes one of"),
        (DEB, {"baseurl": None, "metalink": "http://m.example/"}, ".metalink: means nothing in a deb source"),
        (DEB, {"unsigned": None}, ".keys: is missing (name the keys that sign it, or say `unsigned: true`"),
        (DEB, {"unsigned": None, "baseurl": "file:///srv/deb"}, ".keys: is missing"),
        (DEB, {"keys": ["/dev/null"]}, ".unsigned: keys are named: it is signed"),
        (DEB, {"keys": [], "unsigned": None}, ".keys: Tuple should have at least 1 item"),
        (DEB, {"keys": ["none.asc"], "unsigned": None}, ".keys[0]: cannot read /"),
        (DEB, {"keys": ["."], "unsigned": None}, ".keys[0]: cannot read /"),
        (DEB, {"sign_with": "none.key"}, ".sign_with: cannot read /"),
        (DEB, {"auth": {"ca": "none.pem"}}, ".auth.ca: cannot read /"),
        (DEB, {"auth": {"user": "me"}}, ".auth: user and password_file belong together"),
        (DEB, {"auth": {"netrc": "n", "user": "me", "password_file": "p"}}, ".auth: user and netrc exclude each"),
        (DEB, {"auth": {"client_key": "k"}}, ".auth: client_key needs client_certificate"),
        (DEB, {"repositories": ["sid"]}, ".repositories[0]: sid names no component: it takes SUITE COMPONENT"),
        (DEB, {"repositories": ["flat/ main"]}, ".repositories[0]: the flat repository flat/ has no components"),
        (DEB, {"repositories": ["sid main main"]}, ".repositories[0]: names a component twice"),
        (DEB, {"repositories": ["sid ../main"]}, ".repositories[0]: '../main' leads out of its directory"),
        (DEB, {"repositories": ["/etc main"]}, ".repositories[0]: '/etc' is not a relative path"),
        (DEB, {"repositories": ["s main", "s  contrib"]}, ".repositories[1]: s stands twice (also in repositories[0]) (name all its"),
        (RPM, {"repositories": ["a/b", "a//b/"]}, ".repositories[1]: a/b stands twice (also in repositories[0])"),
        (DEB, {"repositories": ["{architecture} main"]}, ".repositories[0]: unknown name {architecture} (there are"),
        (DEB, {"repositories": [" "]}, ".repositories[0]: is empty"),
        (DEB, {"requirements": ["nginx", ""]}, ".requirements[1]: is empty"),
        (DEB, {"requirements": "nginx"}, ".requirements: takes a list"),
        (DEB, {"architectures": ["x86_64"]}, ".architectures[0]: x86_64 is amd64 in deb repositories"),
        (RPM, {"architectures": ["amd64"]}, ".architectures[0]: amd64 is x86_64 in rpm repositories"),
        (DEB, {"architectures": ["amd64", "amd64"]}, ".architectures[1]: amd64 stands twice"),
        (RPM, {"repositories": ["os main"]}, ".repositories[0]: 'os main' is not a path"),
        (RPM, {"repositories": ["{architecture}"]}, ".repositories[0]: {architecture} stands for nothing (name the"),
        (RPM, {"baseurl": "http://a.example/{architecture}"}, ".baseurl: unknown name {architecture}"),
        (RPM, {"installer": True}, ".installer: means nothing in an rpm source"),
        (RPM, {"translations": ["de"]}, ".translations: means nothing in an rpm source"),
        (DEB, {"baseurl": "http://a.example/{x"}, ".baseurl: has a brace without its other half"),
        (DEB, {"baseurl": "ftp://a.example/"}, ".baseurl: is not an address that begins with http:// or https:// or"),
        (DEB, {"baseurl": "/srv/deb"}, "; a directory here is file:///srv/deb"),
        (DEB, {"baseurl": "file://srv/deb"}, ".baseurl: is not an address: file:// is followed by an absolute path"),
        (DEB, {"baseurl": "http:///deb"}, ".baseurl: names no host"),
        (DEB, {"baseurl": "http://a.example:port/"}, ".baseurl: is not an address"),
        (DEB, {"baseurl": "http://[a.example/"}, ".baseurl: is not an address"),
        (DEB, {"baseurl": "http://a.example/ b"}, ".baseurl: holds a space or a control character"),
        (DEB, {"baseurl": "http://a.example/?x"}, ".baseurl: holds ? or #, and paths are added to it"),
        (DEB, {"baseurl": ["http://a.example/", "b"]}, ".baseurl: address 2 is not an address that begins with"),
        (DEB, {"baseurl": 5}, ".baseurl: takes text"),
        (DEB, {"baseurl": []}, ".baseurl: Value should have at least 1 item"),
        (RPM, {"baseurl": "http://a.example/$basearch"}, ".baseurl: holds a variable like $basearch: write {archi"),
        (DEB, {"proxy": "proxy.example:3128"}, ".proxy: is not an address that begins with http:// or https:// or so"),
        (DEB, {"headers": {"A b": "x"}}, ".headers.A b: is not a name"),
        (DEB, {"headers": {"A": "x\ny"}}, ".headers.A: holds a line break"),
        (DEB, {"mode": "verbatim", "newest": 1, "exclude": ["x"]}, ".mode: verbatim is the upstream's whole, and not with exclude, newest"),
        (DEB, {"mode": "verbatim", "requirements": ["x"]}, ".mode: verbatim is the upstream's whole, and not with partial"),
        (DEB, {"mode": "verbatim", "sign_with": "own.key"}, ".sign_with: verbatim metadata has the upstream's"),
        (DEB, {"partial": True}, ".partial: nothing is required of it (it takes requirements or a master)"),
        (DEB, {"notify": ["/none/there"]}, ".notify[0]: there is no program /none/there"),
        (DEB, {"notify": "tell"}, ".notify: takes a list"),
        (DEB, {"max_shrink": 40}, ".max_shrink: Input should be less than or equal to 1"),
        (DEB, {"translations": ["../x"]}, ".translations[0]: String should match pattern"),
        (DEB, {"unsigned": "yes please"}, ".unsigned: Input should be a valid boolean"),
        (DEB, {"include": "x"}, ".include: takes a list"),
    ],
)  # fmt: skip
def test_a_wrong_source_is_told_with_its_path(
    writer: Writer, base: dict[str, Any], more: dict[str, Any], told: str
) -> None:
    (problem,) = writer.problems_of(base, **more)
    assert problem.startswith("sources[0]")
    assert told in problem


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-a", ".a", "a b", "ü", "a" * 101, "a\n"])
def test_a_name_is_one_safe_directory_name(writer: Writer, name: str) -> None:
    (problem,) = writer.problems_of(name=name)
    assert problem.startswith("sources[0].name: is not a name")


@pytest.mark.parametrize(
    ("masters", "loop"),
    [
        ({"a": "a"}, "a -> a"),
        ({"a": "b", "b": "a"}, "a -> b -> a"),
        ({"x": "a", "a": "b", "b": "c", "c": "a"}, "a -> b -> c -> a"),
    ],
)
def test_sources_that_are_masters_of_each_other_are_refused(
    writer: Writer, masters: dict[str, str], loop: str
) -> None:
    sources = [{**DEB, "name": name, "master": master} for name, master in masters.items()]
    (problem,) = writer.problems({"sources": sources})
    assert problem.endswith(f".master: the sources are masters of each other: {loop}")


def test_a_master_is_of_the_same_type_and_its_dependents_are_partial(writer: Writer) -> None:
    (problem,) = writer.problems({"sources": [DEB, {**RPM, "name": "b", "master": "a"}]})
    assert problem == "sources[1].master: a is of type deb, and this of type rpm"
    (problem,) = writer.problems({"sources": [DEB, {**DEB, "name": "b", "master": "a", "mode": "verbatim"}]})
    assert problem == "sources[1].mode: verbatim is the upstream's whole, and not with master"
    (problem,) = writer.problems({"sources": [DEB, {**DEB, "name": "b", "master": "a", "partial": False}]})
    assert problem == "sources[1].partial: a source with a master has only what the master needs"


def test_one_list_cannot_stand_for_several_repositories(writer: Writer) -> None:
    lists = {"baseurl": None, "mirrorlist": "http://m.example/list", "repositories": ["os", "updates"]}
    (problem,) = writer.problems_of(RPM, **lists)
    assert problem.endswith(
        "mirrorlist: is one list for several repositories (write {repository} where they differ)"
    )
    lists = {
        **lists,
        "mirrorlist": "http://m/{repository}/{architecture}",
        "architectures": ["x86_64", "aarch64"],
    }
    problems = writer.problems_of(RPM, **lists)
    assert len(problems) == 2
    assert "sources[0].repositories[1]: is one place for the lists of several architectures" in problems[1]


# Secrets --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"auth": {"user": "me", "password": SECRET}}, "password_file"),
        ({"baseurl": f"http://me:{SECRET}@a.example/"}, "password_file"),
        ({"baseurl": ["http://a.example/", f"http://{SECRET}@a.example/"]}, "password_file"),
        ({"baseurl": None, "mirrorlist": f"http://me:{SECRET}@a.example/"}, "password_file"),
        ({"proxy": f"http://me:{SECRET}@proxy.example"}, "environment"),
    ],
)
def test_secrets_do_not_belong_into_the_file_and_are_not_repeated(
    writer: Writer, more: dict[str, Any], told: str
) -> None:
    problems = "\n".join(writer.problems_of(**more))
    assert told in problems
    assert SECRET not in problems


@pytest.mark.parametrize("key", ["password_file", "netrc", "client_key"])
def test_secrets_that_others_may_read_are_refused(writer: Writer, key: str) -> None:
    secret = writer.directory / "secret"
    secret.touch(0o644)
    auth = {key: "secret"}
    if key == "password_file":
        auth["user"] = "me"
    if key == "client_key":
        auth["client_certificate"] = "/dev/null"
    (problem,) = writer.problems_of(auth=auth)
    assert problem == f"sources[0].auth.{key}: others may read or change {secret} (chmod 600 {secret})"
    secret.chmod(stat.S_IRUSR)
    writer.source(auth=auth)


def test_a_file_that_this_user_may_not_read_is_told() -> None:
    with public_directory() as directory:
        (directory / "secret").touch(0o600)
        path = directory / "mirrors.yaml"
        path.write_text(yaml.safe_dump({"sources": [{**DEB, "auth": {"netrc": "secret"}}]}))
        with as_nobody(), pytest.raises(Invalid) as caught:
            load_mirrors(path)
    assert [str(problem) for problem in caught.value.problems] == [
        f"sources[0].auth.netrc: cannot read {directory}/secret: Permission denied"
    ]


def test_a_signing_key_that_is_of_no_use_is_remarked(writer: Writer) -> None:
    (note,) = writer.load({"sources": [{**DEB, "sign_with": "own.key"}]}).notes
    assert note == "sources[0].sign_with is not used: the mirror keeps the upstream's own signature"
    assert writer.load({"sources": [{**DEB, "sign_with": "own.key", "newest": 1}]}).notes == ()


def test_a_signing_key_that_others_may_read_is_refused(writer: Writer) -> None:
    key = writer.directory / "own.key"
    key.chmod(0o644)
    (problem,) = writer.problems_of(sign_with="own.key")
    assert problem == f"sources[0].sign_with: others may read or change {key} (chmod 600 {key})"


# The original ---------------------------------------------------------------------------------------------

ORIGINAL = """
common:
    thread_num: 10,
    connection_count: 8,
    ignore_error_count: 2,
    http_proxy: null,
    https_proxy: null
    fuel_url: "http://localhost:8080"
    destination: "/var/www/nailgun"

versions:
    centos_version: "6"
    ubuntu_version: "trusty"

sources:
    -   name: "mos"
        osname: "ubuntu"
        type: "deb"
        baseurl: "http://mirror.example.org/ubuntu/mos-{mos_version}"
        repositories:
             - "mos{mos_version} main restricted"
             - "mos{mos_version}-updates main restricted"
        requirements:
             - "ubuntu-standard"

    -   name: "mos"
        osname: "centos"
        type: "yum"
        baseurl: "http://mirror.example.org/centos/mos-{mos_version}"
        repositories:
            - "os"
            - "updates"

    -   name: "ubuntu"
        osname: "ubuntu"
        type: "deb"
        master: "mos"
        baseurl: "http://archive.example.org/ubuntu"
        repositories:
            - "{ubuntu_version} main multiverse universe"

    -   name: "centos"
        osname: "centos"
        type: "yum"
        master: "mos"
        baseurl: "http://mirror.example.org/centos/{centos_version}"
        repositories:
            - "os"
"""


def test_the_file_of_the_original_loads_with_a_note_for_what_means_nothing(writer: Writer) -> None:
    written = ORIGINAL.replace("versions:\n", 'versions:\n    mos_version: "8.0"\n')
    mirrors = writer.load(written)
    assert mirrors.common == Common(Path("/var/www/nailgun"), threads=10, connections=8, ignore_error_count=2)
    assert [read.name for read in mirrors.sources] == ["mos-ubuntu", "mos-centos", "ubuntu", "centos"]
    assert [read.master for read in mirrors.sources] == ["", "", "mos-ubuntu", "mos-centos"]
    assert [read.type for read in mirrors.sources] == ["deb", "rpm", "deb", "rpm"]
    assert [read.partial for read in mirrors.sources] == [False, False, True, True]
    assert mirrors.sources[0].repositories[1] == "mos8.0-updates main restricted"
    assert mirrors.sources[0].architectures == ("amd64",)
    assert mirrors.sources[1].repositories == ("os/x86_64", "updates/x86_64")
    (note,) = [note for note in mirrors.notes if "fuel_url" in note]
    assert note.startswith("common.fuel_url: has no meaning here: ")
    assert "`notify:`" in note
    assert all(read.unsigned for read in mirrors.sources)
    assert sum("signature is not verified" in note for note in mirrors.notes) == 4
    assert sum("several sources are called mos" in note for note in mirrors.notes) == 2


def test_what_the_original_got_from_its_server_has_to_be_written(writer: Writer) -> None:
    problems = writer.problems(ORIGINAL)
    assert len(problems) == 4
    assert all(
        "{mos_version} (the Fuel server knew it: write it under versions)" in text for text in problems
    )


def test_errors_in_the_original_file_are_told_with_its_own_keys(writer: Writer) -> None:
    written = {"common": {"thread_num": "many", "fuel_url": "x"}, "sources": [{**DEB, "bootstrap": [""]}]}
    assert writer.problems(written) == [
        "common.thread_num: Input should be a valid integer",
        "sources[0].requirements[0]: is empty",
    ]
    (problem,) = writer.problems({"common": {"thread_num": 1, "threads": 2}, "sources": [DEB]})
    assert problem == "common.thread_num: unknown key (did you mean threads?)"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("thread_num", "threads"),
        ("thread_count", "threads"),
        ("connection_count", "connections"),
        ("ignore_errors_num", "ignore_error_count"),
        ("retries_num", "retries"),
    ],
)
def test_the_older_names_of_numbers_are_known(writer: Writer, old: str, new: str) -> None:
    assert getattr(writer.load({"common": {old: 7}, "sources": [DEB]}).common, new) == 7


def test_a_file_of_today_is_not_taken_for_one_of_the_original(writer: Writer) -> None:
    written = {"common": {"threads": 1}, "sources": [{key: DEB[key] for key in DEB if key != "unsigned"}]}
    assert writer.problems(written)[0].startswith("sources[0].keys: is missing")
