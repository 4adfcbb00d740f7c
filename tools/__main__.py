"""Write the pages of docs/ that are made from the code: `make docs`. Tests hold them current."""

from pathlib import Path

from crust_pipeline.cli.main import main
from crust_pipeline.definitions import defs
from tools.checks_page import checks_page
from tools.command_pages import command_line_page, settings_page
from tools.tables_page import tables_page

DOCS = Path(__file__).parent.parent / "docs"

for name, text in {
    "checks": checks_page(defs),
    "command-line": command_line_page(main),
    "settings": settings_page(),
    "tables": tables_page(),
}.items():
    (DOCS / f"{name}.md").write_text(text, encoding="utf-8")
