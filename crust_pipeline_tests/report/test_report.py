"""The report: complete, self-contained, accessible, without people; also when there is nothing."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from crust_pipeline.app.installation import Installation
from crust_pipeline.ledger import slots
from crust_pipeline.report.facts import Facts, gather
from crust_pipeline.report.page import render, write_report
from crust_pipeline.report.plots import OPERATION_COLOURS, STATE_COLOURS
from crust_pipeline.settings import Settings

TITLES = ["Spend", "Funnel", "Fill rate", "Slots in use", "Days", "Cost of a result"]


@pytest.fixture(scope="module")
def facts(bought: Installation) -> Facts:
    return gather(bought)


@pytest.fixture(scope="module")
def page(facts: Facts) -> str:
    return render(facts)


@pytest.fixture
def nothing(tmp_path: Path) -> Iterator[Installation]:
    pipeline = Installation(settings=Settings.from_env({"CRUST_DATA_DIR": str(tmp_path)}))
    yield pipeline
    pipeline.ledger.close()


def test_every_section_has_its_title_and_every_plot_its_numbers(page: str) -> None:
    assert re.findall(r"<h2 [^>]*>([^<]+)</h2>", page) == TITLES
    assert page.count("<figure>") == page.count("</svg></figure>") == 5
    assert page.count("<table>") == len(TITLES)


def test_it_is_readable_without_a_network(page: str) -> None:
    addresses = set(re.findall(r'https?://[^\s"<)]+', page))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "<script" not in page
    assert "@import" not in page


def test_every_plot_is_described(page: str) -> None:
    labels = re.findall(r'<svg role="img" aria-label="([^"]+)"', page)
    assert [label.split(".")[0] for label in labels] == TITLES[:5]


def test_text_follows_light_and_dark(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    assert set(re.findall(r'<text[^>]* fill="([^"]+)"', page)) == {"currentColor"}


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, as WCAG 2 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def papers_and_inks(page: str) -> list[dict[str, str]]:
    """The colours by name: of the light page, then of the dark one."""
    found = re.findall(r"--(\w+):\s*(#\w{6})", page)
    return [dict(found[:5]), dict(found[5:])]


def test_plots_and_text_stand_out_on_light_and_on_dark(page: str) -> None:
    for colours in papers_and_inks(page):
        assert colours.keys() == {"paper", "ink", "soft", "line", "card"}
        # WCAG 2 AA: 4.5 for text, 3 for what a plot is made of.
        for ink in ("ink", "soft"):
            assert contrast(colours[ink], colours["paper"]) >= 4.5
            assert contrast(colours[ink], colours["card"]) >= 4.5
        for drawn in {*OPERATION_COLOURS.values(), *STATE_COLOURS.values()}:
            assert contrast(drawn, colours["paper"]) >= 3, drawn


def test_every_element_is_closed(page: str) -> None:
    open_tags: list[str] = []

    class Balance(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag != "meta":
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_tags.pop() == tag

    Balance().feed(page)
    assert not open_tags


def test_its_figures_are_those_of_the_accounts(facts: Facts, bought: Installation) -> None:
    with bought.lake.connect() as con:
        ((computed,),) = con.execute("SELECT sum(credits_computed) FROM credit_usage").fetchall()
        ((rows,),) = con.execute("SELECT count(*) FROM outcomes").fetchall()
    assert sum(row["credits"] for row in facts.spend) == computed > 0
    assert round(sum(row["credits"] for row in facts.cost)) == computed
    assert sum(row["rows"] for row in facts.days) == rows


def test_no_more_slots_were_held_than_there_are(facts: Facts, bought: Installation) -> None:
    held = [moment.held for moment in slots.slots_over_time(bought.ledger)]
    assert 0 < max(held) <= facts.slots
    assert held[-1] == 0


def test_nobody_is_on_it(page: str, bought: Installation) -> None:
    with bought.lake.connect() as con:
        found = con.execute(
            "SELECT name FROM people UNION ALL SELECT email FROM contact_emails "
            "UNION ALL SELECT profile_key FROM profile_urls WHERE profile_key IS NOT NULL"
        ).fetchall()
    assert len(found) > 1000
    assert not [value for (value,) in found if value and value in page]


def test_a_report_of_nothing_says_so(nothing: Installation, tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    write_report(nothing, path)
    assert path.read_text(encoding="utf-8").count("Nothing yet.") == len(TITLES)
