# SPDX-License-Identifier: GPL-3.0-or-later
"""The .repo file that makes dnf or yum use a mirror."""

from orchestrator.content.source import Source


def client_config(source: Source, address: str, key: str) -> str:
    """A section for each repository. `address` is the mirror's base.

    With a key the metadata is verified, and through its digests every package. In a mirror whose metadata is the
    upstream's, the packages' own signatures are the same key's. In others they are their vendor's.
    """
    sections = [_section(source, repository, address, key) for repository in source.repositories]
    return "\n".join(sections)


def _section(source: Source, repository: str, address: str, key: str) -> str:
    name = source.name if repository == "." else f"{source.name}-{repository.replace('/', '-')}"
    path = "" if repository == "." else f"{repository}/"
    own_signatures = bool(key) and not source.rebuilt
    lines = [
        f"[{name}]",
        f"name={name}",
        f"baseurl={address.rstrip('/')}/{path}",
        "enabled=1",
        f"repo_gpgcheck={int(bool(key))}",
    ]
    if key and not own_signatures:
        lines.append(
            "# The signed metadata vouches for the packages. To have their vendor's signatures checked"
        )
        lines.append("# too, add the vendor's key to gpgkey and say gpgcheck=1.")
    if own_signatures:
        lines.append(
            "# Packages that have no signature of this key need gpgcheck=0: the signed metadata vouches for them."
        )
    lines.append(f"gpgcheck={int(own_signatures)}")
    if key:
        lines.append(f"gpgkey={key}")
    return "\n".join(lines) + "\n"
