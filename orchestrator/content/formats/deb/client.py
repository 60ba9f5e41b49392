# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client needs to use a mirror: a .sources file for /etc/apt/sources.list.d (see sources.list(5))."""

from orchestrator.content.formats.deb.layout import Layout, parse_layouts
from orchestrator.content.source import Source


def client_config(source: Source, address: str, key: str, certificates: str = "") -> str:
    """See `Format.client_config`. The key stands in the file itself (apt 2.3.10 and later: Debian 12, Ubuntu
    22.04). Without its text, one that is at an address has to be brought to the client first."""
    lines = [f"# {source.name}: put this into /etc/apt/sources.list.d/{source.name}.sources"]
    key = key.removeprefix("file://")
    if "://" in key and not certificates:
        place = f"/etc/apt/keyrings/{source.name}.asc"
        lines.append(f"# and the key into its place: curl -fsSL -o {place} {key}")
        key = place
    trust = f"Signed-By: {key}" if key else "Trusted: yes"
    if certificates:
        trust = "Signed-By:\n" + "\n".join(f" {line or '.'}" for line in certificates.splitlines())
    repositories = source.repositories or ("stable main",)
    stanzas = [_stanza(source, layout, address, trust) for layout in parse_layouts(repositories)]
    return "\n".join([*lines, "\n\n".join(stanzas), ""])


def _stanza(source: Source, layout: Layout, address: str, trust: str) -> str:
    suite = layout.suite or (f"{layout.directory}/" if layout.directory else "./")
    lines = [
        f"Types: deb{' deb-src' if source.sources else ''}",
        f"URIs: {address.rstrip('/')}/",
        f"Suites: {suite}",
    ]
    if layout.components:
        lines.append(f"Components: {' '.join(layout.components)}")
    architectures = [one for one in source.architectures if one != "all"]
    if architectures:
        lines.append(f"Architectures: {' '.join(architectures)}")
    return "\n".join([*lines, trust])
