"""The HTML report: offline, guarded by its own policy, and the same bytes for the same data."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from harness.findings import Compromise
from harness.reporting.documents import documents
from harness.reporting.figures import PER_SCENARIO
from tests.reporting import samples


class Outline(HTMLParser):
    """Every tag with its attributes, and the text of scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.open.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)


@pytest.fixture(scope="module")
def page() -> str:
    return samples.clean_page()


@pytest.mark.promise(22)
def test_nothing_is_loaded(page: str) -> None:
    for tag, attributes in Outline(page).tags:
        assert tag not in ("link", "iframe", "object", "embed", "img", "base", "form")
        for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"@import|url\((?!#)", page)


@pytest.mark.promise(22)
def test_policy_allows_the_one_script_by_its_hash_and_nothing_else(page: str) -> None:
    outline = Outline(page)
    policy = next(a["content"] for t, a in outline.tags if a.get("http-equiv") == "Content-Security-Policy")
    (script,) = outline.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert f"script-src 'sha256-{digest}';" in policy
    assert "unsafe-eval" not in policy


def test_recommends_with_the_exact_command_and_every_link_has_its_place(page: str) -> None:
    text = re.sub(r"<[^>]+>", "", page)
    assert (
        "uvicorn target_app.main:app --host 0.0.0.0 --port 8000 --workers 2 --loop uvloop "
        "--http httptools --no-access-log --timeout-keep-alive 5"
    ) in text
    assert "docker run --publish 8000:8000" in text
    targets = {a["id"] for _, a in Outline(page).tags if "id" in a}
    links = {(a["href"] or "")[1:] for t, a in Outline(page).tags if t == "a"}
    assert links <= targets


def test_the_decision_comes_first_and_all_else_is_folded(page: str) -> None:
    """The sentence, what to deploy, a figure a scenario, one table of four columns; then closed parts."""
    body = page[page.index("<body>") :]
    decision, _, rest = body.partition('<h2 class="more">')
    order = ["<h1>", 'id="deploy"', 'id="compared"', "<svg", 'class="figures"']
    assert [decision.index(mark) for mark in order] == sorted(decision.index(mark) for mark in order)
    assert decision.count("<svg") == 2
    assert decision.count("<table") == 1
    headings = re.findall(r'<th scope="col"[^>]*>([^<]+)</th>', decision)
    assert headings == ["variant", "requests/s", "p95 ms", "memory MiB", "verdict"]
    assert "<details" not in decision
    assert rest.count("<details") == rest.count("<summary>") >= 6
    assert "<details open" not in rest


def test_the_page_is_light_enough_to_be_mailed_and_names_the_figures_it_has_no_room_for() -> None:
    data = samples.many_variants()
    assert len(samples.html_page(data).encode()) < 300_000


def test_where_scenarios_disagree_the_best_of_each_and_one_for_all_are_named() -> None:
    data = samples.report_data()
    items, io_wait = data.analysis.findings
    findings = (replace(items, recommended="a"), replace(io_wait, recommended="b"))
    one = Compromise(variant_id=samples.STANDARD_2.id, most=0.09, scenario="items")
    analysis = replace(data.analysis, findings=findings, recommended=None, compromise=one)
    words = " ".join(re.sub(r"<[^>]+>", " ", samples.html_page(replace(data, analysis=analysis))).split())
    assert "One for all is uvicorn-standard.w2: at most 9 % behind the best anywhere (items)" in words
    assert re.search(r"items a .*io-wait b", words)


def test_limits_of_a_variant_become_docker_options() -> None:
    data = samples.report_data()
    limited = replace(data, analysis=replace(data.analysis, recommended=samples.GUNICORN_5.id))
    assert "--memory 512m" in re.sub(r"<[^>]+>", "", samples.html_words(limited))


def test_same_data_same_bytes(page: str) -> None:
    assert samples.html_page(samples.report_data()) == page


def test_documents_are_the_page_its_markdown_and_every_figure() -> None:
    one_scenario = replace(samples.report_data(), rules=())
    finding = one_scenario.analysis.findings[0]
    data = replace(one_scenario, analysis=replace(one_scenario.analysis, findings=(finding,)))
    names = [name for name, _ in documents(data)]
    assert names[:2] == ["report.html", "report.md"]
    assert set(names[2:]) == {f"{kind}.items.png" for kind in PER_SCENARIO}
