"""The page: self-contained HTML, light and dark, every plot with its title, words and numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from crust_pipeline.app.installation import Installation
from crust_pipeline.private_files import make_private_folder, open_private
from crust_pipeline.report import plots
from crust_pipeline.report.facts import Facts, Row, gather

_STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1d2330; --soft: #5b6475;
  --line: #d9dee7; --card: #f6f8fb; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181f; --ink: #e7ebf2;
  --soft: #a3adbd; --line: #333c4a; --card: #1c222c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 2rem 1.5rem 4rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.15rem; margin: 0 0 .25rem; }
p { margin: 0 0 .75rem; color: var(--soft); }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .75rem;
  margin: 1.5rem 0; }
dl div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .75rem 1rem; }
dt { color: var(--soft); font-size: .85rem; } dd { margin: 0; font-size: 1.5rem; }
section { border-top: 1px solid var(--line); padding: 1.5rem 0; }
figure { margin: 0; overflow-x: auto; } svg { max-width: 100%; height: auto; color: var(--ink); }
details { margin-top: .5rem; } summary { cursor: pointer; color: var(--soft); }
details .numbers { max-height: 22rem; overflow: auto; }
table { border-collapse: collapse; font-size: .85rem; margin-top: .5rem; }
th, td { padding: .2rem .75rem .2rem 0; text-align: left; border-bottom: 1px solid var(--line); }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
"""


@dataclass(frozen=True, slots=True)
class _Section:
    title: str
    words: str
    rows: Sequence[Row]
    plot: Callable[[Facts], str] | None = None


def write_report(installation: Installation, path: Path) -> Facts:
    """Write the page; it is readable without a network.

    Returns:
        What is on it.
    """
    facts = gather(installation)
    make_private_folder(path.parent)
    with open_private(path) as page:
        page.write(render(facts).encode())
    return facts


def render(facts: Facts) -> str:
    """Return the page as HTML."""
    sections = [
        _Section(
            "Spend",
            "Credits for what was delivered, by the day of the submit. Open: reserved for batches "
            "whose file has not landed. Lost: the link died first.",
            facts.spend,
            plots.spend,
        ),
        _Section(
            "Funnel",
            "How many input rows came how far. Each stage is a part of the one before.",
            facts.funnel,
            plots.funnel,
        ),
        _Section(
            "Fill rate",
            "Of the rows that have their answer, those for which something was found.",
            facts.fill_rate,
            plots.fill_rate,
        ),
        _Section(
            "Slots in use",
            f"The vendor's jobs at a time, of {facts.slots} (dashed). Gaps with work waiting cost "
            "time.",
            facts.slots_held,
            plots.slots,
        ),
        _Section(
            "Days",
            "How each day stands. Open rows wait, need a decision or are over the budget; "
            "docs/outcomes.md says what to do.",
            facts.days,
            plots.days,
        ),
        _Section("Cost of a result", "Credits for one matched row, by source.", facts.cost),
    ]
    body = "\n".join(_section(facts, section) for section in sections)
    made = f"{facts.made_at:%Y-%m-%d %H:%M} UTC"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>crust_pipeline report, {made}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<main>\n<h1>What was bought, and what it cost</h1>\n"
        f"<p>Account {escape(facts.account)}, as of {made}. Counts only, no people.</p>\n"
        f"{_figures(facts)}\n{body}\n</main>\n</body>\n</html>\n"
    )


def _figures(facts: Facts) -> str:
    spent = sum(row["credits"] for row in facts.spend)
    results = sum(row["results"] for row in facts.cost)
    figures = {
        "credits spent": f"{spent:,.0f}",
        "credits open": f"{sum(row['open'] for row in facts.spend):,.0f}",
        "results": f"{results:,}",
        "credits per result": f"{spent / results:,.2f}" if results else "none yet",
        "rows open": f"{sum(row['open'] for row in facts.days):,}",
        "submits of unknown outcome": f"{facts.unknown_submits:,}",
    }
    cells = (f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures.items())
    return f"<dl>{''.join(cells)}</dl>"


def _section(facts: Facts, section: _Section) -> str:
    identity = section.title.lower().replace(" ", "-")
    title = f'<h2 id="{identity}">{section.title}</h2>\n<p>{escape(section.words)}</p>'
    if not section.rows:
        content = "<p>Nothing yet.</p>"
    elif section.plot is None:
        content = _table(section)
    else:
        label = escape(f"{section.title}. {section.words} The numbers are in the table below.")
        drawing = section.plot(facts).replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
        content = (
            f"<figure>{drawing}</figure>\n<details><summary>{section.title} in numbers "
            f"({len(section.rows):,} rows)</summary>{_table(section)}</details>"
        )
    return f'<section aria-labelledby="{identity}">\n{title}\n{content}\n</section>'


def _table(section: _Section) -> str:
    names = list(section.rows[0])
    numeric = {
        name
        for name in names
        if all(isinstance(row[name], int | float | None) for row in section.rows)
    }

    def cell(tag: str, name: str, value: Any) -> str:  # noqa: ANN401 - a number or a text
        scope = ' scope="col"' if tag == "th" else ""
        kind = ' class="number"' if name in numeric else ""
        return f"<{tag}{scope}{kind}>{escape(_shown(value))}</{tag}>"

    head = "".join(cell("th", name, name.replace("_", " ")) for name in names)
    lines = (
        f"<tr>{''.join(cell('td', name, row[name]) for name in names)}</tr>" for row in section.rows
    )
    return (
        f'<div class="numbers" tabindex="0" role="region" aria-label="{section.title} in numbers">'
        f"<table><caption hidden>{section.title}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _shown(value: Any) -> str:  # noqa: ANN401 - a number or a text
    match value:
        case None:
            return ""
        case float():
            return f"{value:,.0f}" if value == int(value) else f"{value:,.3f}"
        case int():
            return f"{value:,}"
        case _:
            return str(value)
