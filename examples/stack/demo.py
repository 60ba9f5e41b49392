#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upgrade a real stack: PostgreSQL, a search service that is slow to become ready, a web application.

    demo.py            the whole story: version 1 with data, the upgrade to version 2, a second upgrade
    demo.py up         version 1 with data, running
    demo.py switch     what the package manager does: the code and the steps of version 2
    demo.py stop       stop the services, keep the data
    demo.py clean      stop the services and remove everything

Needs no root and no systemd. `make demo` runs the whole story in an environment of its own.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import installation
import leftovers
import terminals
import upstream
from failure import Failed
from installation import Installation

CHECKOUT = installation.SOURCE.parents[1]
# Exit codes of the runner that the story expects; orchestrator(8) has them all.
DONE, SOMETHING_PENDING, UNANSWERED, LOCKED = 0, 1, 6, 75


def default_directory() -> Path:
    """`.demo` in the checkout; for root a place that the unprivileged user of the services can reach."""
    return Path("/var/tmp/orchestrator-demo") if os.geteuid() == 0 else CHECKOUT / ".demo"


def main() -> int:
    options = parse_options()
    directory = Path(os.path.abspath(options.directory))
    try:
        match options.command:
            case "up":
                bring_up(directory, options)
            case "switch":
                switch(existing(directory))
            case "stop":
                stop(existing(directory))
            case "clean":
                clean(directory)
            case _:
                tell(directory, options)
    except (Failed, OSError) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            f"\ndemo: interrupted; {sys.argv[0]} stop --directory {directory} ends its services",
            file=sys.stderr,
        )
        return 130
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", nargs="?", default="run", choices=("run", "up", "switch", "stop", "clean"))
    parser.add_argument(
        "--directory", default=default_directory(), help="where everything lies (%(default)s)"
    )
    parser.add_argument("--books", type=int, default=5000, help="how many books version 1 has (%(default)s)")
    parser.add_argument("--load-seconds", type=float, default=3.0,
                        help="how long the search service loads its index (%(default)s)")  # fmt: skip
    return parser.parse_args()


# The story ----------------------------------------------------------------------------------------


def tell(directory: Path, options: argparse.Namespace) -> None:
    stack = bring_up(directory, options)
    search(stack, "silent lighthouse")
    ship_all(stack)
    switch(stack)
    say("What is to do? (exit 1: something is pending)")
    orchestrator(stack, "pending", expect=SOMETHING_PENDING)
    orchestrator(stack, "plan")
    say(
        "-y answers routine questions. Step 3030 names a risk of its own: without --accept nothing is touched."
    )
    orchestrator(stack, "upgrade", "-y", expect=UNANSWERED)
    say("The upgrade.")
    orchestrator(stack, "upgrade", "-y", "--accept", "3030")
    orchestrator(stack, "runs", "show")
    search(stack, "silent lighthouse lem")
    show_mirrors(stack)
    show_branch(stack)
    say("Once more: the one-shot steps are done, only the default steps run.")
    orchestrator(stack, "upgrade", "-y")
    suggest(stack)


def bring_up(directory: Path, options: argparse.Namespace) -> Installation:
    """A fresh version 1 with data, ready for readers."""
    stack = installation.claim(directory)
    stop(stack)
    began = time.monotonic()
    say(f"Building Bookshelf 1.0 with {options.books} books in {directory}.")
    installation.create_version_1(stack, options.load_seconds, options.books)
    print(f"  PostgreSQL's programs: {stack.settings()['PG_BIN']}")
    print(f"  built in {time.monotonic() - began:.1f} s")
    installation.serve_upstream(stack)
    orchestrator(stack, "services", "start")
    say("The reader's packages, mirrored in part, are a view; its versions go on to the branch office.")
    orchestrator(stack, "mirror", "clone")
    orchestrator(stack, "apply", "-f", str(installation.SOURCE / "content.yaml"), "--yes")
    return stack


def ship_all(stack: Installation) -> None:
    """The first shipment to the branch office; after it the reader's project releases something new."""
    say("The branch office has no network: media go there, the first time with all of it.")
    orchestrator(stack, "view", "publish", "terminals")
    orchestrator(stack, "environment", "promote", "terminals", "--to", "branch")
    orchestrator(stack, "export", "complete", "view", "terminals", "--destination", "branch-office")
    installation.release_upstream(stack)
    print(f"  and then the reader's project releases {upstream.RELEASED.name} {upstream.RELEASED.version}")


def switch(stack: Installation) -> None:
    say(
        "The package manager replaces the code: version 2.0, and its steps. It touches no data and no service."
    )
    installation.install_package(stack, "2.0")
    print(f"  current -> app-{stack.version}")


def stop(stack: Installation) -> None:
    """Stop the services by the runner, and whatever is left of an earlier demo without it."""
    if stack.config.exists() and leftovers.find(stack.directory):
        code = orchestrator(stack, "services", "stop", expect=None)
        if code == LOCKED:
            raise Failed("an upgrade of an earlier demo still runs (above): wait for it, or stop it first")
    for command in leftovers.stop(stack.directory):
        print(f"  had to be killed: {command}")


def clean(directory: Path) -> None:
    if not directory.exists():
        return
    stack = existing(directory)
    stop(stack)
    installation.remove(stack)
    print(f"removed {directory}")


def existing(directory: Path) -> Installation:
    if not (directory / installation.MARKER).exists():
        raise Failed(f"there is no demo in {directory}: `{sys.argv[0]} up` makes one")
    return Installation(directory)


def suggest(stack: Installation) -> None:
    """Commands to try next; each can be pasted into a shell."""
    path = Path(__file__)
    demo = f"{sys.executable} {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}"
    where = "" if stack.directory == default_directory() else f" --directory {stack.directory}"
    print(f"""
The stack runs. To look around:

  export ORCHESTRATOR_CONFIG={stack.config} ORCHESTRATOR_MIRRORS={stack.mirrors_file}
  export PATH={Path(sys.executable).parent}:$PATH
  orchestrator status
  orchestrator runs list                # then: orchestrator runs show RUN
  orchestrator history list
  orchestrator scripts list
  orchestrator services list
  orchestrator mirror packages terminals-rocky
  orchestrator mirror why libshelf
  curl '{stack.settings()["BOOKSHELF_URL"]}/search?q=lem'

A step that fails, and the upgrade that goes on from there (version 1 forgot to forbid books without author):

  {demo} up{where} && {demo} switch{where}
  . {stack.conf}
  $PG_BIN/psql -c "update book set author = null where id = 42"
  orchestrator upgrade -y --accept 3030     # fails at 3010; PostgreSQL is up, the application is down
  $PG_BIN/psql -c "update book set author = 'Anonymous' where id = 42"
  orchestrator upgrade -y --accept 3030     # goes on at 3010

To end:

  {demo} stop{where}
  {demo} clean{where}
""")


# Doing and showing --------------------------------------------------------------------------------


def orchestrator(
    stack: Installation, *arguments: str, expect: int | None = DONE, config: Path | None = None
) -> int:
    """Run the command as a user would, on our output; `config` is that of another server than ours. Raises Failed
    at another exit code than expected."""
    say(f"$ orchestrator {' '.join(arguments)}", mark="")
    code = subprocess.run(
        [*installation.ORCHESTRATOR, *arguments],
        env=environment_of(stack) | ({"ORCHESTRATOR_CONFIG": str(config)} if config else {}),
        stdin=subprocess.DEVNULL,
        check=False,
    ).returncode
    if expect is not None and code != expect:
        raise Failed(
            f"`orchestrator {' '.join(arguments)}` ended with exit code {code}, not {expect} (its reason is above)"
        )
    return code


def environment_of(stack: Installation) -> dict[str, str]:
    return os.environ | {
        "ORCHESTRATOR_CONFIG": str(stack.config),
        "ORCHESTRATOR_MIRRORS": str(stack.mirrors_file),
    }


def search(stack: Installation, words: str) -> None:
    """Search as a reader does, and show the answer. Raises Failed unless it is a good one of this version."""
    answer = fetch(stack, "/search", q=words)
    if answer["version"] != stack.version or not answer["books"]:
        raise Failed(f"version {stack.version} of the application answered {answer} to a search for {words}")
    say(f"A reader of version {answer['version']} searches for {words}: {answer['hits']} books.")
    for book in answer["books"]:
        print(f"  {book['title']}, by {book['author']}  {book['shelf_mark']}".rstrip())


def show_mirrors(stack: Installation) -> None:
    """What the upgrade has mirrored, and terminals that install from it. Raises Failed when one cannot."""
    say(
        "Step 6025 has mirrored what the reading terminals need, and no more, of what the reader's project offers."
    )
    orchestrator(stack, "mirror", "list")
    for name in ("terminals-debian", "terminals-rocky"):
        program, client = terminals.client_of(name)
        if isinstance(client, str):
            say(f"No terminal can install from {name} here ({client}): the mirror is verified instead.")
            orchestrator(stack, "mirror", "verify", name)
            continue
        told = subprocess.run(
            [*installation.ORCHESTRATOR, "mirror", "client-config", name],
            env=environment_of(stack),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        chosen = client(stack.directory / "terminals" / name, told)
        say(
            f"A terminal of {name}: {program}, told of it by `mirror client-config`, installs {terminals.WANTED}:"
        )
        print("".join(f"  {package}\n" for package in chosen), end="")
        if not any(package.startswith(terminals.WANTED) for package in chosen):
            raise Failed(f"{program} chose {chosen} to install {terminals.WANTED}")


def show_branch(stack: Installation) -> None:
    """The export of the upgrade on the way to a server without a network."""
    say("Step 6026 has made a version of that, shown it to the branch, and exported what is new in it.")
    orchestrator(stack, "export", "list")
    media = stack.directory / "branch" / "media"
    media.mkdir(parents=True)
    for chunk in (stack.directory / "exports").rglob("*.tar"):
        shutil.copy(chunk, media)
    key = stack.directory / "branch" / "sender.pem"
    with key.open("w") as out:
        command = [*installation.ORCHESTRATOR, "export", "key"]
        subprocess.run(command, env=environment_of(stack), stdout=out, check=True)
    say("In the branch office: the sender's key, carried there by hand, and the media.")
    branch = stack.branch_config
    orchestrator(stack, "import", "trust", str(key), config=branch)
    orchestrator(stack, "import", "run", str(media), config=branch)
    orchestrator(stack, "view", "show", "terminals", config=branch)


def fetch(stack: Installation, path: str, **parameters: str) -> Any:
    """The application's answer. Raises Failed unless the status is a good one."""
    url = f"{stack.settings()['BOOKSHELF_URL']}{path}?{urlencode(parameters)}"
    try:
        with urlopen(url, timeout=10) as answer:
            return json.load(answer)
    except HTTPError as error:
        reason = error.read().decode("utf-8", "replace")
        raise Failed(f"{url} answered {error.code} {HTTPStatus(error.code).phrase}: {reason}") from None
    except (URLError, OSError) as error:
        raise Failed(f"{url} does not answer: {error}") from None


def say(text: str, *, mark: str = "== ") -> None:
    print(f"\n{mark}{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
