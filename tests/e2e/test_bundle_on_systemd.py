# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator runs bundle` on real systemd: what units say goes in, what they must not tell stays out."""

import json
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest
import yaml

from tests.support.requirements import require
from tests.support.systemd_host import SystemdHost

pytestmark = [pytest.mark.systemd]

CONFIG = "/etc/orchestrator/orchestrator.yaml"
# Each is known or told in the way it is named for.
SECRETS = {
    "configuration": "Pl4nted-configuration",
    "unit's environment": "Pl4nted unit/environment",
    "environment file": "Pl4nted-environment-file",
    "credential": "Pl4nted-credential",
    "step": "Pl4nted-by-a-step",
    "journal": "Pl4ntedInTheJournal",
}
WEB = f"""
    [Service]
    Environment="WEB_PASSWORD={SECRETS["unit's environment"]}" PLAIN=plain-one
    EnvironmentFile=/etc/default/web
    LoadCredential=db:/etc/web.credential
    ExecStart=/opt/web --mode fast
"""
# Tells everything it knows, in words and encoded, as no program should.
PROGRAM = f"""
    #!/bin/sh
    echo "plain is $PLAIN; $WEB_PASSWORD is what I was given, and also $OTHER"
    cat "$CREDENTIALS_DIRECTORY/db"
    echo "login: {b64encode(f"user:{SECRETS['environment file']}".encode()).decode()}"
    echo 'GET /?q=Pl4nted%20unit%2Fenvironment'
    echo "token={SECRETS["journal"]}"
    exec sleep inf
"""


@pytest.fixture(scope="module")
def bundle(shared_host: SystemdHost, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked bundle of a run that failed on a host whose units have secrets."""
    require(shutil.which("zstd") is not None, "no zstd for tar")
    host = shared_host
    config = {
        "product": {"name": "Shop", "version": "2"},
        "environment": {"DB_PASSWORD": SECRETS["configuration"]},
        "scripts": ["/opt/scripts"],
        "services": {
            "web": {"tier": "application", "manager": "systemd", "unit": "web.service"},
            "gone": {"tier": "application", "manager": "systemd", "unit": "broken.service"},
        },
    }
    host.write(CONFIG, yaml.safe_dump(config))
    host.write("/etc/default/web", f"OTHER_SECRET={SECRETS['environment file']}\nOTHER=$OTHER_SECRET\n")
    host.write("/etc/web.credential", f"{SECRETS['credential']}\n", 0o600)
    host.write("/opt/web", PROGRAM, 0o755)
    host.unit_file("web.service", WEB)
    host.unit_file("broken.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n")
    host.unit_file("sad.service", "[Service]\nExecStart=/bin/false\n")
    host.run(["systemctl", "start", "web.service", "broken.service", "sad.service"])
    head = "#!/bin/sh\n#name: Step\n#description: Test step.\n"
    host.write(
        "/opt/scripts/upgrade/6010_fails.sh",
        f'{head}echo "with $DB_PASSWORD"\nAPI_TOKEN={SECRETS["step"]}\necho "API_TOKEN=$API_TOKEN"\nexit 1\n',
        0o755,
    )
    assert host.orchestrator("upgrade", "-y").returncode == 1
    host.orchestrator("runs", "bundle", "-o", "/var/tmp/it.tar.zst", check=True)
    directory = tmp_path_factory.mktemp("bundle")
    subprocess.run(["tar", "--zstd", "-C", directory, "-xf", host.path("/var/tmp/it.tar.zst")], check=True)
    return directory / "it"


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_a_planted_secret_is_not_found(bundle: Path, secret: str) -> None:
    encoded = b64encode(f"user:{secret}".encode()).decode()
    for form in (secret, secret.replace(" ", "%20").replace("/", "%2F"), encoded):
        found = subprocess.run(["grep", "-rlF", form, bundle], capture_output=True, text=True, check=False)
        assert (found.returncode, found.stdout) == (1, "")


def test_units_and_their_journals_are_inside(bundle: Path) -> None:
    said = (bundle / "journal/web.service.txt").read_text()
    assert "plain is plain-one; [removed] is what I was given" in said
    assert "token=[removed]" in said
    assert "ExecStart=/opt/web --mode fast" in (bundle / "units/web.service/files.txt").read_text()
    assert "ActiveState=active" in (bundle / "units/web.service/show.txt").read_text()
    assert "sad.service" in (bundle / "host/failed-units.txt").read_text()
    assert "systemd" in (bundle / "host/systemd-version.txt").read_text()
    services = json.loads((bundle / "services.json").read_text())["services"]
    assert services["web"]["readiness"] == "ready"
    assert (
        "with [removed]\nAPI_TOKEN=[removed]\n"
        in (bundle / "run/steps/upgrade/6010_fails.sh.attempt-1.log").read_text()
    )
