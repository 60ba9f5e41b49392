# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a run: what became of it, when, and what is left to do.

make_report      journal, saved plan, earlier runs, logs -> `Report`, a value
render_html      one self-contained page
render_markdown  the same for a ticket or a mail
Report.to_json   the same for programs
"""

from orchestrator.upgrade.report.making import make_report
from orchestrator.upgrade.report.markdown import render_markdown
from orchestrator.upgrade.report.model import Report
from orchestrator.upgrade.report.page import render_html

__all__ = ["Report", "make_report", "render_html", "render_markdown"]
