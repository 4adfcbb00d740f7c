"""What the tests of this package share."""

from pathlib import Path

import pytest

from crust_pipeline.tables.store.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Give an empty lake."""
    return Lake(tmp_path / "lake")
