"""docs/variants.md: the tests and switches that it names exist, and no switch is left out."""

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

from crust_pipeline.sandbox.switches import FaultKind, Switches
from crust_pipeline.settings import Settings

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "variants.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| what")
]
# How large and fast the account is, not what the documents leave open.
LIMITS = {
    *("max_active_jobs", "link_days", "rate_limit_rpm", "rate_limits_rpm", "token_limit_rpm"),
    *("job_seconds", "time_scale", "instant_jobs"),
}


def named(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def test_every_line_says_who_says_so_and_has_a_test() -> None:
    assert len(ROWS) > 40
    for row in ROWS:
        _, said, _, tests = row
        assert set(said.split(", ")) <= {"documented", "observed", "unknown"}, row
        assert named(tests), row


@pytest.mark.parametrize("test", sorted({name for row in ROWS for name in named(row[3])}))
def test_a_test_that_is_named_exists(test: str) -> None:
    path, _, name = test.partition("::")
    tree = ast.parse((ROOT / "crust_pipeline_tests" / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_switch_that_is_named_exists() -> None:
    known = {spec.name for spec in fields(Switches)} | {kind.value for kind in FaultKind}
    known |= {spec.metadata["variable"] for spec in fields(Settings)}
    assert {name for row in ROWS for name in named(row[2])} <= known


def test_no_switch_is_left_out() -> None:
    switches = {spec.name for spec in fields(Switches)} - LIMITS
    assert switches <= named(PAGE)
