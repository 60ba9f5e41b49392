# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's page in a real browser. Skipped where there is no Chromium: it is too heavy to be asked for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.upgrade.journal import EventName
from orchestrator.upgrade.report import make_report, render_html
from tests.support.chromium import Page, find_chromium, running_browser
from tests.support.journals import Script, planned

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="there is no Chromium")

LONG = "upgrade/3020_a_step_whose_name_is_as_long_as_names_of_steps_can_get_where_people_are_thorough.sh"
# Whatever of the page stands out of the window, but for what is in a box that scrolls or cuts.
_OUTSIDE = """
[...document.querySelectorAll('main *, footer *')].filter(one => {
  const box = one.getBoundingClientRect();
  return box.width && !one.closest('svg, thead') && (box.right > innerWidth + 0.5 || box.left < -0.5);
}).map(one => one.outerHTML.slice(0, 120))
"""
# The contrast of every text with the nearest ground behind it (WCAG 2), where it is below 4.5.
_FAINT = """
(() => {
  const light = c => { const v = c.map(x => { x /= 255; return x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4 });
    return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2] };
  const parse = s => (s.match(/[\\d.]+/g) || []).map(Number);
  const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length == 3 || c[3] == 1) return c.slice(0, 3) } return [255, 255, 255] };
  return [...document.querySelectorAll('main *, footer *')].filter(e => !e.closest('svg') &&
    [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim())).map(e => {
      const a = light(parse(getComputedStyle(e).color).slice(0, 3)), b = light(ground(e));
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.outerHTML.slice(0, 120)] }).filter(x => x[0] < 4.5)
})()
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with running_browser(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser.new_page()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with everything that a page can show: a power cut, failures, drift, consent, losses, debts."""
    directory = tmp_path_factory.mktemp("report")
    script = Script().begin().found("db", "web").step("check/0010_room.sh", 0.2)
    script.tell(
        EventName.ANSWERED,
        question="3020",
        text=f"{LONG} drops a table",
        answer=True,
        by="--accept",
        user="ada",
    )
    script.phase("backends-down").stop("web").stop("db").step("default/1010_logs.sh", 5).phase("backends-up")
    script.start("db").begin_step(LONG).after(30).tell(EventName.NOTE, text="x" * 300).reboot(4000)
    script.go_on(invoker="boot").step(
        LONG, 60, "failed", attempt=2, message="exit status 3" * 20, left=["812 (sleep 9)"]
    )
    script.tell(EventName.SERVICE_DRIFTED, service="db", wanted="up", found="pid 7 is gone", after=LONG)
    script.tell(EventName.INTERRUPT, step=LONG, action="terminate", unsafe=True).begin_step(
        "upgrade/3040_lossy.sh"
    )
    report = {"name": "lost", "text": "page 17 of a book", "lost": True}
    script.tell(
        EventName.STEP_REPORTED, step="upgrade/3040_lossy.sh", attempt=1, number=1, report=report
    ).after(5)
    script.tell(
        EventName.STEP_ENDED, step="upgrade/3040_lossy.sh", attempt=1, status="done", seconds=5, losses=1
    )
    script.stopped(f"{LONG} failed: exit status 3", web="down", db="up")
    run = script.save(
        directory, {"steps": [planned(LONG), planned("upgrade/3030_b.sh")], "notes": ["something is masked"]}
    )
    Script("0000-20261119T101500Z").begin().step("default/1010_logs.sh", 2).end().save(directory)
    log = run.step_file(LONG, 2, "log")
    log.parent.mkdir(parents=True)
    log.write_text("a line <script>document.title = 'caught'</script>\n" * 30 + "x" * 3000)
    path = directory / "report.html"
    path.write_text(render_html(make_report(directory, run)))
    return path


@pytest.mark.parametrize("width", [360, 390, 720, 1200])
def test_nothing_stands_out_of_the_window(page: Page, file: Path, width: int) -> None:
    page.show(file, width)
    assert page.value("document.documentElement.scrollWidth") == width
    assert page.value(_OUTSIDE) == []


def test_the_chart_is_drawn_to_scale_and_nothing_complains(page: Page, file: Path) -> None:
    page.show(file, 1200)
    bars = page.value(
        "[...document.querySelectorAll('.chart rect.bar')].map(b => b.getBoundingClientRect().width)"
    )
    assert len(bars) > 15
    assert min(bars) > 1
    five, sixty = (
        page.value(
            f"[...document.querySelectorAll('.chart rect.bar')].filter(b => b.textContent.includes('{text}'))"
            ".at(-1).getBoundingClientRect().width"
        )
        for text in ("default/1010_logs.sh: done", "(attempt 2): failed")
    )
    assert sixty / five == pytest.approx(12, rel=0.02)
    assert "caught" not in page.value("document.title")
    assert page.complaints == []


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_can_be_read_in_light_and_in_dark(page: Page, file: Path, dark: bool) -> None:
    page.show(file, 1200, dark=dark)
    assert page.value(_FAINT) == []


def test_it_is_printed_on_white_paper(page: Page, file: Path, tmp_path: Path) -> None:
    page.show(file, 700, dark=True, media="print")
    assert page.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.print(tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").stat().st_size > 10_000
