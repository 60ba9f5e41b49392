# SPDX-License-Identifier: GPL-3.0-or-later
"""What fetches a mirror of files: a shell script of curl and sha256sum, for there is no client to configure."""

import shlex

from orchestrator.content.formats.file import manifest
from orchestrator.content.formats.file.offer import base_of
from orchestrator.content.source import Source

# What has a meaning of its own in an address; everything else of a path is sent as it is.
_QUOTED = {"%": "%25", " ": "%20", "#": "%23", "?": "%3F", '"': "%22"}


def client_config(source: Source, address: str) -> str:
    """Fetches every listed file into the working directory and checks it; what is there already and right stays.
    A list that changes meanwhile is noticed by the digests: then the script ends with an error and is run again."""
    base = address.rstrip("/") + "/"
    lines = [
        "#!/bin/sh",
        f"# Fetches the files of {source.name} into this directory, or brings them up to date.",
        "# A remote of Pulp, or a repository of type file in Katello, takes the address of the list itself:",
    ]
    lines += [f"#   {base}{base_of(repository)}{manifest.ENTRY}" for repository in source.repositories]
    quoting = "; ".join(f"s/{mark}/{code}/g" for mark, code in _QUOTED.items())
    lines += ["set -eu", "fetch() {  # DIRECTORY ADDRESS", '    mkdir -p "$1"']
    lines += [
        f'    curl -fsSL -o "$1/.{manifest.ENTRY}.new" "$2{manifest.ENTRY}"',
        f'    grep -v -e "^#" -e "^[[:space:]]*$" "$1/.{manifest.ENTRY}.new" | while IFS= read -r line; do',
        '        path=${line%,*,*} rest=${line#"${line%,*,*}",}',
        "        sha256=${rest%,*} file=$1/$path",
        '        echo "$sha256  $file" | sha256sum --check --status 2>/dev/null && continue',
        f"        url=$2$(printf '%s' \"$path\" | sed {shlex.quote(quoting)})",
        '        curl -fsSLg --create-dirs -o "$file" "$url"',
        '        echo "$sha256  $file" | sha256sum --check --quiet',
        "    done",
        f'    mv "$1/.{manifest.ENTRY}.new" "$1/{manifest.ENTRY}"',
        "}",
    ]
    for repository in source.repositories:
        place = "." if repository == "." else f"./{repository}"
        lines.append(f"fetch {shlex.quote(place)} {shlex.quote(base + base_of(repository))}")
    return "\n".join([*lines, ""])
