# SPDX-License-Identifier: GPL-3.0-or-later
"""How the tables came to be, step by step: alembic's migrations, run from wherever this package is installed.

`HEAD` is the newest of them, so that a catalog that has it is opened without alembic; a test holds it to the files
in versions/. Another test holds what they make to `tables`. There is no way back: an older program refuses a newer
catalog, which is restored from a backup.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0001"


def upgrade(connection: Connection) -> None:
    """Bring the database to `HEAD`, in the transaction that `connection` is in."""
    from alembic import command

    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


def knows(revision: str) -> bool:
    """Whether it is one of ours."""
    from alembic.script import ScriptDirectory

    return revision in {
        each.revision for each in ScriptDirectory.from_config(configuration()).walk_revisions()
    }


def configuration() -> "Config":
    """alembic's, without a file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
