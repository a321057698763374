"""The pages as a browser lays them out: on a desk, on a phone, on A4, in light and dark."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.reporting import samples

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

DESK, PHONE, A4 = 1200, 390, 718
"""CSS pixels; A4 is its width less the usual margins."""
LEAST_CONTRAST = 4.5
"""WCAG 2.2, level AA, for text of ordinary size."""
LEAST_TEXT_PX = 8.0

MEASURE = """
const frame = document.querySelector("iframe");
frame.addEventListener("load", () => {
  const page = frame.contentDocument, view = frame.contentWindow;
  const numbers = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = numbers(view.getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const contrast = (element) => {
    const pair = [light(numbers(view.getComputedStyle(element).color)), light(behind(element))];
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  };
  const shown = (element) => element.checkVisibility();
  const wide = [], dim = [], small = [], unreachable = [];
  for (const element of page.querySelectorAll("body *")) {
    if (!shown(element)) continue;
    const box = element.getBoundingClientRect();
    const beyond = box.right > view.innerWidth + 1 && !element.closest(".scroll");
    if (beyond) wide.push(element.outerHTML.slice(0, 80));
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own) continue;
    if (element.closest("svg")) {
      if (box.height < LEAST_TEXT) small.push(element.textContent);
    } else if (contrast(element) < LEAST_CONTRAST) {
      dim.push(`${element.textContent.trim().slice(0, 40)}: ${contrast(element).toFixed(2)}`);
    }
  }
  for (const element of page.querySelectorAll("summary, button, a")) {
    if (shown(element) && element.tabIndex < 0) unreachable.push(element.textContent);
  }
  const scrolls = page.documentElement.scrollWidth > view.innerWidth;
  const dark = light(behind(page.body)) < 0.2;
  const result = { dark, scrolls, wide, dim, small, unreachable };
  document.body.textContent = "FACTS" + JSON.stringify(result) + "END";
});
"""


def _browser() -> str:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        assert os.environ.get("REQUIRE_ENGINE") != "1", "scripts/setup-test-tools.sh installs chromium"
        pytest.skip("no browser is here")
    return found


@cache
def pages() -> dict[str, str]:
    many = samples.many_variants()
    return {"report": samples.clean_page(), "many variants": samples.html_page(many)}


def facts(page: str, width: int, directory: Path, *flags: str) -> dict[str, Any]:
    """What a browser says of the page in a frame so wide."""
    script = MEASURE.replace("LEAST_TEXT", str(LEAST_TEXT_PX)).replace("LEAST_CONTRAST", str(LEAST_CONTRAST))
    frame = f'<iframe style="border:0;width:{width}px;height:9000px" srcdoc="{html.escape(page)}"></iframe>'
    wrapper = directory / "wrapper.html"
    wrapper.write_text(f"<!doctype html><meta charset=utf-8><body>{frame}<script>{script}</script>", "utf-8")
    command = [
        _browser(),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={directory}/profile",
    ]
    done = subprocess.run(
        [*command, *flags, "--virtual-time-budget=5000", "--dump-dom", wrapper.as_uri()],
        capture_output=True,
        timeout=100,
        check=True,
    )
    found = re.search(r"FACTS(.*)END", done.stdout.decode(), re.DOTALL)
    assert found is not None, done.stderr.decode()[-2000:]
    return json.loads(html.unescape(found[1]))


@pytest.mark.parametrize("name", ["report", "many variants"])
@pytest.mark.parametrize("width", [DESK, PHONE])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_wider_than_its_page_and_all_can_be_read_and_reached(
    name: str, width: int, dark: bool, tmp_path: Path
) -> None:
    flags = ("--force-dark-mode", "--blink-settings=preferredColorScheme=0") if dark else ()
    found = facts(pages()[name], width, tmp_path, *flags)
    nothing: dict[str, Any] = {"scrolls": False, "wide": [], "dim": [], "small": [], "unreachable": []}
    assert found == {"dark": dark, **nothing}


def test_on_a4_no_column_is_lost(tmp_path: Path) -> None:
    """The rules for print, laid out as wide as the paper, with everything unfolded."""
    page = pages()["report"].replace("@media print", "@media all").replace("<details", "<details open")
    found = facts(page, A4, tmp_path)
    assert found["scrolls"] is False
    assert found["wide"] == []
