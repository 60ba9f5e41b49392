# SPDX-License-Identifier: GPL-3.0-or-later
"""orchestrator.yaml: every error at once, each with the path that its author wrote; nothing read amiss."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.config import model
from orchestrator.config.load import find_config, load_config, read_yaml
from orchestrator.errors import Invalid, Problem
from tests.support.nobody import as_nobody, public_directory

WEB = {"tier": "application", "manager": "process", "command": ["/bin/web"]}
DB = {"tier": "backend", "manager": "process", "command": ["/bin/db"]}


class Writer:
    """Writes a configuration and reads it with the project's own loader."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "orchestrator.yaml"

    def load(self, written: str | bytes | dict[str, Any]) -> model.Config:
        if isinstance(written, dict):
            written = yaml.safe_dump(written)
        self.path.write_bytes(written if isinstance(written, bytes) else written.encode())
        return load_config(self.path)

    def service(self, **more: Any) -> model.AnyService:
        return self.load({"services": {"web": {**WEB, **more}}}).services["web"]

    def refused(self, written: str | bytes | dict[str, Any]) -> Invalid:
        with pytest.raises(Invalid) as caught:
            self.load(written)
        return caught.value

    def problems(self, written: str | dict[str, Any]) -> list[str]:
        return [str(problem) for problem in self.refused(written).problems]

    def problems_of_service(self, **more: Any) -> list[str]:
        return self.problems({"services": {"web": {**WEB, **more}}})


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path)


# Reading ----------------------------------------------------------------------------------------------


def test_an_empty_file_means_the_defaults(writer: Writer) -> None:
    config = writer.load("")
    assert config.state_dir == Path("/var/lib/orchestrator")
    assert config.services == {}
    assert config.scripts[-1] == Path("/etc/orchestrator/scripts.d")
    assert config.phases[-1] == Path("/etc/orchestrator/phases")
    assert (config.scripts[0] / "check").is_dir()


def test_relative_directories_lie_beside_the_file(writer: Writer, tmp_path: Path) -> None:
    config = writer.load("state_dir: state\nlog_dir: ../log\nscripts: [a, /b]\nphases: [p]\n")
    assert config.state_dir == tmp_path / "state"
    assert config.log_dir == tmp_path / "../log"
    assert config.scripts == (tmp_path / "a", Path("/b"))
    assert config.phases == (tmp_path / "p",)


def test_relative_directories_do_not_depend_on_how_the_file_is_named(
    writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.path.write_text("state_dir: state")
    monkeypatch.chdir(tmp_path)
    assert load_config(Path("orchestrator.yaml")).state_dir == tmp_path / "state"


def test_the_option_comes_before_the_variable_and_that_before_etc() -> None:
    environment = {"ORCHESTRATOR_CONFIG": "/from/variable"}
    assert find_config(Path("/from/option"), environment) == Path("/from/option")
    assert find_config(None, environment) == Path("/from/variable")
    assert find_config(None, {"ORCHESTRATOR_CONFIG": ""}) == Path("/etc/orchestrator/orchestrator.yaml")
    assert find_config(None, {}) == Path("/etc/orchestrator/orchestrator.yaml")


def test_a_missing_file_is_told_with_the_ways_to_name_one(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path / "no" / "none.yaml", Path("/dev/null/none.yaml")):
        with pytest.raises(Invalid, match=f"no configuration at {path}") as caught:
            load_config(path)
        assert "--config FILE or $ORCHESTRATOR_CONFIG" in caught.value.hint


def test_a_file_that_cannot_be_read_is_told_with_the_reason(tmp_path: Path) -> None:
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    with pytest.raises(Invalid, match=r"cannot read .*loop.yaml: Too many levels"):
        load_config(loop)
    with pytest.raises(Invalid, match=r"cannot read .*: Is a directory"):
        load_config(tmp_path)


@pytest.mark.parametrize(
    ("written", "line", "told"),
    [
        ("a: [", 2, "did not find expected node content"),
        ("a:\n\t- b", 2, "found character that cannot start any token"),
        ("a: 1\nb: 2\na: 3", 3, "the key 'a' stands twice in one mapping"),
        ("a:\n  b: {c: 1, d: 2, c: 3}", 2, "the key 'c' stands twice in one mapping"),
        ("- {1: x, 1: y}", 1, "the key 1 stands twice in one mapping"),
        ("a: *nobody", 1, "found undefined alias"),
        ("a: !!python/object:os.system x", 1, "could not determine a constructor"),
        ("? [a]\n: b", 1, "found unhashable key"),
        ("a: b\n---\nc: d", 2, "but found another document"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_line(writer: Writer, written: str, line: int, told: str) -> None:
    error = writer.refused(written)
    assert error.message == f"{writer.path} is not valid YAML"
    assert [problem.where for problem in error.problems] == [f"{writer.path}:{line}"]
    assert told in error.problems[0].what


@pytest.mark.parametrize(
    "written",
    [
        b"a: \xff\xfe",
        b'a: "\x00"',
        b"a: 2026-13-01",
        b"a: 2026-11-20T25:00:00Z",
        b"\x80",
    ],
)
def test_bytes_and_dates_that_cannot_be_are_errors_not_tracebacks(writer: Writer, written: bytes) -> None:
    error = writer.refused(written)
    assert error.message == f"{writer.path} is not valid YAML"
    assert len(error.problems) == 1


@pytest.mark.parametrize("written", ["- a", "text", "5", "true"])
def test_what_is_no_mapping_is_refused(writer: Writer, written: str) -> None:
    assert "must be a mapping of keys" in writer.refused(written).message


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0130", "0130"),
        ("130", 130),
        ("0", 0),
        ("-5", -5),
        ("08:30", "08:30"),
        ("22:30", "22:30"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("1.5", 1.5),
        ("yes", True),
        ("~", None),
    ],
)
def test_numbers_are_what_they_look_like(tmp_path: Path, written: str, read: Any) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"value: {written}\n{written}: key\n")
    document = read_yaml(path)
    assert document["value"] == read
    assert type(document["value"]) is type(read)
    assert document[read] == "key"


def test_merge_keys_work_and_may_say_something_else_than_what_they_merge(writer: Writer) -> None:
    config = writer.load(
        """
        services:
          one: &base {tier: backend, manager: process, command: [a], ports: [1]}
          two: {<<: *base, ports: [2]}
          three: {<<: [*base, {after: [one]}], command: [b]}
        """
    )
    assert [service.ports for service in config.services.values()] == [(1,), (2,), (1,)]
    assert config.services["three"].after == ("one",)


def test_a_mapping_that_is_merged_elsewhere_first_has_no_repeated_keys(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("deep: {inner: &b {<<: &a {x: 1}, x: 2}}\nflat: {<<: *b, y: 3}\n")
    assert read_yaml(path) == {"deep": {"inner": {"x": 2}}, "flat": {"x": 2, "y": 3}}


def test_a_repeated_key_is_found_in_a_merged_mapping_too(writer: Writer) -> None:
    assert "'x' stands twice" in writer.problems("a: {<<: {x: 1, x: 2}}")[0]


# Values -----------------------------------------------------------------------------------------------


def test_durations_and_lists_are_read(writer: Writer) -> None:
    service = writer.service(ready_timeout="5m", stop_timeout=1.5, ports=[80, 443], after=[])
    assert (service.ready_timeout, service.stop_timeout, service.ports) == (300, 1.5, (80, 443))


@pytest.mark.parametrize("value", [None, [1], {"a": 1}, True, "soon", float("nan"), float("inf"), -1])
def test_a_bad_duration_is_told_with_its_path(writer: Writer, value: Any) -> None:
    (problem,) = writer.problems_of_service(ready_timeout=value)
    assert problem.startswith("services.web.ready_timeout: ")
    assert "is not a duration" in problem or "is negative" in problem


@pytest.mark.parametrize(
    ("written", "probe"),
    [
        ({"tcp": "127.0.0.1:80"}, model.TcpProbe(kind="tcp", address="127.0.0.1:80")),
        ({"tcp": {"address": "[::1]:80"}, "stable": 3}, model.TcpProbe(kind="tcp", address="[::1]:80", stable=3)),
        ({"tcp": {"address": "db:80", "stable": 2}, "stable": 3}, model.TcpProbe(kind="tcp", address="db:80", stable=2)),
        ({"unix": "/run/a"}, model.UnixProbe(kind="unix", path=Path("/run/a"))),
        ({"http": "http://a/"}, model.HttpProbe(kind="http", url="http://a/")),
        ({"exec": ["true"]}, model.ExecProbe(kind="exec", command=("true",))),
        ({"exec": {"command": ["true"], "failed": [3]}, "timeout": "1m"}, model.ExecProbe(kind="exec", command=("true",), failed=(3,), timeout=60)),
        ({"postgresql": None}, model.PostgresqlProbe(kind="postgresql")),
        ({"postgresql": "/tmp"}, model.PostgresqlProbe(kind="postgresql", host="/tmp")),
        ({"redis": None}, model.RedisProbe(kind="redis")),
        ({"redis": {"path": "/run/redis"}}, model.RedisProbe(kind="redis", address=None, path=Path("/run/redis"))),
        ({"systemd": "a.service"}, model.SystemdProbe(kind="systemd", unit="a.service")),
        ({"log": {"path": "/l", "pattern": "up"}}, model.LogProbe(kind="log", path=Path("/l"), pattern="up")),
    ],
)  # fmt: skip
def test_probes_have_a_short_and_a_long_form(writer: Writer, written: Any, probe: model.AnyProbe) -> None:
    assert writer.service(ready=[written]).ready == (probe,)


def test_one_value_stands_for_a_list_of_one_in_an_http_probe(writer: Writer) -> None:
    written = {"http": {"url": "http://a/", "status": 204, "json": {"state": "green", "n": [1, 2]}}}
    (probe,) = writer.service(ready=[written]).ready
    assert isinstance(probe, model.HttpProbe)
    assert probe.status == (204,)
    assert probe.json_values == {"state": ("green",), "n": (1, 2)}


@pytest.mark.parametrize(
    ("probe", "told"),
    [
        ("tcp", "[0]: a probe is a mapping like {tcp: '127.0.0.1:80'}"),
        ({}, "[0]: a probe has exactly one kind of"),
        ({"tcp": "a:1", "unix": "/a"}, "found: tcp, unix"),
        ({"htpp": "http://a"}, "found: htpp"),
        ({"tcp": "a:1", "stabel": 2}, "[0]: a probe has exactly one kind of"),
        ({"tcp": None}, "[0].tcp.address: is missing"),
        ({"tcp": "nowhere"}, "[0].tcp.address: String should match pattern"),
        ({"tcp": {"kind": "unix", "path": "/a"}}, "[0]: unknown key kind"),
        ({"tcp": "a:1", "stable": 0}, "[0].tcp.stable: Input should be greater than or equal to 1"),
        ({"tcp": "a:1", "timeout": "0s"}, "[0].tcp.timeout: Input should be greater than 0"),
        ({"http": {"url": "http://a", "stauts": 200}}, "[0].http.stauts: unknown key (did you mean status?)"),
        ({"http": {"url": "http://a", "jsno": {}}}, "[0].http.jsno: unknown key (did you mean json?)"),
        ({"http": "ftp://a"}, "[0].http.url: String should match pattern"),
        ({"log": {"path": "/l", "pattern": "("}}, "[0].log.pattern: not a regular expression"),
        ({"log": "/l"}, "[0].log.pattern: is missing"),
        ({"exec": []}, "[0].exec.command: Tuple should have at least 1 item"),
    ],
)
def test_a_probe_that_does_not_parse_is_told_with_its_path(writer: Writer, probe: Any, told: str) -> None:
    (problem,) = writer.problems_of_service(ready=[probe])
    assert problem.startswith("services.web.ready[0]")
    assert told in problem


# Errors -----------------------------------------------------------------------------------------------


def test_all_errors_are_told_at_once_each_with_its_path(writer: Writer) -> None:
    problems = writer.problems(
        {
            "statedir": "x",
            "product": {"nmae": "x"},
            "backup": {"timeout": "1m"},
            "services": {
                "web": {**WEB, "redy": [], "ports": [1, 0, "x"], "after": ["bd"], "stop_timeout": "soon"},
                "db": {**DB, "manager": "systmd"},
                "other": {"tier": "middle", "manager": "external"},
            },
        }
    )
    assert set(problems) == {
        "statedir: unknown key (did you mean state_dir?)",
        "product.nmae: unknown key (did you mean name?)",
        "backup.command: is missing",
        "services.web.redy: unknown key (did you mean ready?)",
        "services.web.ports[1]: Input should be greater than or equal to 1",
        "services.web.ports[2]: Input should be a valid integer, unable to parse string as an integer",
        "services.web.after[0]: no service bd (did you mean db?)",
        "services.web.stop_timeout: 'soon' is not a duration (like 30s, 5m, 2h)",
        "services.db: unknown manager systmd (one of 'systemd', 'supervisor', 'process', 'command', 'external')",
        "services.other.tier: Input should be 'backend' or 'application'",
        "services.other.ready: is missing",
    }


@pytest.mark.parametrize(
    ("services", "told"),
    [
        ({"web": {"tier": "backend"}}, "services.web: 'manager' is missing (one of"),
        ({"web": None}, "services.web: takes a mapping of keys"),
        (["web"], "services: takes a mapping of keys"),
        ({"a b": WEB}, "services.a b: is not a name"),
        ({80: WEB}, "services[80]: is not a name"),
        ({"web": {**WEB, "command": "a b"}}, "services.web.command: takes a list"),
        ({"web": {**WEB, "command": ["a", 80]}}, "services.web.command[1]: takes text; put quotes around numbers"),
        ({"web": {**WEB, "env": {"A": 1}}}, "services.web.env.A: takes text"),
        ({"web": {**WEB, "unit": "a.service"}}, "services.web.unit: unknown key"),
        ({"log": {**WEB, "lgo": "/l"}}, "services.log.lgo: unknown key (did you mean log?)"),
        ({"process": {**WEB, "tcp": 1}}, "services.process.tcp: unknown key"),
        ({"web": {"tier": "backend", "manager": "systemd", "unit": "web"}}, "services.web.unit: String should match"),
    ],
)  # fmt: skip
def test_a_wrong_service_is_told_with_its_path(writer: Writer, services: Any, told: str) -> None:
    (problem,) = writer.problems({"services": services})
    assert problem.startswith(told)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("kind: x", "kind: unknown key"),
        ("product: {kind: x}", "product.kind: unknown key"),
        ("tcp: x", "tcp: unknown key"),
        ("1: x", "[1]: Keys should be strings"),
        ("scripts:", "scripts: takes a list"),
        ("scripts: []", "scripts: Tuple should have at least 1 item"),
        ("product: {version: 1.10}", "product.version: takes text; put quotes around numbers"),
        ("product: {version: 2026-11-20}", "product.version: takes text; put quotes around numbers"),
        ("product: {version: '1', version_command: [x]}", "product: version and version_command exclude each other"),
        ("maintenance: {enter: [a]}", "maintenance.leave: is missing"),
    ],
)  # fmt: skip
def test_a_wrong_key_is_told_with_its_path(writer: Writer, written: str, told: str) -> None:
    (problem,) = writer.problems(written)
    assert problem.startswith(told)


@pytest.mark.parametrize(
    ("after", "loop"),
    [
        ({"a": ["a"]}, "a -> a"),
        ({"a": ["b"], "b": ["a"]}, "a -> b -> a"),
        ({"a": ["b"], "b": ["c"], "c": ["d"], "d": ["b"]}, "b -> c -> d -> b"),
    ],
)
def test_services_that_wait_for_each_other_are_refused(
    writer: Writer, after: dict[str, list[str]], loop: str
) -> None:
    services = {name: {**DB, "after": others} for name, others in after.items()}
    (problem,) = writer.problems({"services": services})
    assert problem.endswith(f".after: the services wait for each other: {loop}")


def test_a_diamond_is_no_loop(writer: Writer) -> None:
    after = {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}
    writer.load({"services": {name: {**DB, "after": others} for name, others in after.items()}})


def test_a_backend_cannot_come_after_an_application(writer: Writer) -> None:
    assert writer.problems({"services": {"web": WEB, "db": {**DB, "after": ["web"]}}}) == [
        "services.db.after[0]: the backend db cannot come after the application web"
    ]
    writer.load({"services": {"web": {**WEB, "after": ["db"]}, "db": DB}})


def test_a_problem_says_where_what_and_what_helps() -> None:
    assert str(Problem("here", "wrong", "try that")) == "here: wrong (try that)"
    assert str(Problem("", "wrong")) == "wrong"


def test_a_directory_that_may_not_be_searched_is_no_missing_file() -> None:
    with public_directory() as directory:
        path = directory / "closed" / "orchestrator.yaml"
        path.parent.mkdir(mode=0o700)
        path.write_text("")
        with as_nobody(), pytest.raises(Invalid, match=r"cannot read .*: Permission denied"):
            load_config(path)
