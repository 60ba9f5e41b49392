# SPDX-License-Identifier: GPL-3.0-or-later
"""The mark in the environment of services that we start, by which their processes are found again.

It names the service and the state directory, so that two installations on one host are not mixed up.
Children inherit it: it finds processes that left the family, and one whose pid we did not come to note.
"""

from orchestrator.services.service import Places


def marker(name: str, places: Places) -> dict[str, str]:
    return {"ORCHESTRATOR_SERVICE": name, "ORCHESTRATOR_SERVICE_STATE": str(places.state)}
