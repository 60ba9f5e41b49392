# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a content server keeps what it has, and by which rules: the `content` section of orchestrator.yaml as values."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ExportRules:
    """`keep` complete exports of each subject and destination; those older than `max_age` seconds, and the oldest
    beyond `max_bytes` in all, go; 0 is no limit. `quota`: an export that would make them take more bytes is
    refused. Unfinished ones go after `unfinished` seconds."""

    keep: int = 0
    max_age: float = 0.0
    max_bytes: int = 0
    quota: int = 0
    unfinished: float = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class ContentSettings:
    """`database` is an SQLAlchemy URL, "" for SQLite below `root`. `signing_key` and `trusted_keys` None: below
    `root` too. `mirrors` is the mirrors.yaml whose `common` part holds for syncs as well."""

    root: Path = Path("/var/lib/orchestrator/content")
    exports: Path = Path("/var/lib/orchestrator/exports")
    database: str = ""
    organization: str = "default"
    mirrors: Path | None = None
    signing_key: Path | None = None
    trusted_keys: Path | None = None
    rules: ExportRules = ExportRules()

    @property
    def url(self) -> str:
        return self.database or f"sqlite:///{self.root / 'catalog.sqlite'}"

    @property
    def key_file(self) -> Path:
        return self.signing_key or self.root / "identity" / "signing.pem"

    @property
    def trusted(self) -> Path:
        return self.trusted_keys or self.root / "identity" / "trusted"


def read_settings(option: Path | None, environ: Mapping[str, str] = os.environ) -> ContentSettings:
    """Those of the configuration that `option` or the environment names; of a server that has none, the defaults.
    Raises Invalid with all errors."""
    from orchestrator.config.load import find_config, is_there, load_config

    path = find_config(option, environ).absolute()
    if option is None and not environ.get("ORCHESTRATOR_CONFIG") and not is_there(path):
        return ContentSettings()
    said = load_config(path).content
    rules = said.export_rules
    return ContentSettings(
        said.root,
        said.exports,
        said.database,
        said.organization,
        said.mirrors,
        said.signing_key,
        said.trusted_keys,
        ExportRules(rules.keep, rules.max_age, rules.max_size, rules.quota, rules.unfinished),
    )
