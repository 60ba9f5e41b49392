# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that mean a secret, and names that only speak of one."""

import pytest

from orchestrator.upgrade.bundle.secret_names import is_secret, names_file

SECRETS = (
    "password", "DB_PASSWORD", "dbPassword", "passwd", "passphrase", "PGPASSWORD", "client_secret", "clientSecret",
    "SECRET_KEY_BASE", "api_key", "apiKey", "X-Api-Key", "access-key", "AccountKey", "private_key", "credentials",
    "token", "auth.token", "TOKENS", "secret_id", "MYSQL_ROOT_PASSWORD", "password_admin", "Authorization", "Cookie",
    "psk", "wifi_psk", "pass", "db_pass", "pwd", "password_hash", "requirepass", "--password",
)  # fmt: skip
OTHERS = (
    "password_file", "passwordFile", "token_type", "tokenType", "max_password_length", "token_ttl", "token_url", "key",
    "keyboard", "compass", "bypass", "author", "secret_name", "PWD", "OLDPWD", "password_policy", "name", "user",
)  # fmt: skip


@pytest.mark.parametrize("name", SECRETS)
def test_it_means_a_secret(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", OTHERS)
def test_it_does_not(name: str) -> None:
    assert not is_secret(name)


def test_files_of_secrets_are_told_by_their_keys() -> None:
    assert all(
        map(names_file, ("password_file", "token_path", "client_key", "signing_key", "netrc", "secretFile"))
    )
    assert not any(map(names_file, ("file", "path", "password", "log_file", "ca", "client_certificate")))
