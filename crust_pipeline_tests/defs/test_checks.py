"""The checks as Dagster has them: documented, and few that stop a run."""

from pathlib import Path

from crust_pipeline.definitions import defs
from crust_pipeline.defs.checks import CHECKS
from crust_pipeline.defs.page import checks_page

PAGE = Path(__file__).parents[2] / "docs" / "checks.md"


def test_the_page_of_checks_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == checks_page(defs)


def test_only_loss_and_double_counting_stop_a_run() -> None:
    stopping = {check.name for checks in CHECKS.values() for check in checks if check.blocks}
    assert stopping == {"keys_are_unique", "columns_are_as_specified"}
