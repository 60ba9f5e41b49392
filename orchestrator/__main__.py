# SPDX-License-Identifier: GPL-3.0-or-later
from orchestrator.cli.app import main

main()
