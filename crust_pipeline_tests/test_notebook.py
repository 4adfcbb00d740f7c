"""The notebook in examples/, run from top to bottom on what the sandbox delivered."""

import runpy
from pathlib import Path
from typing import Any

import pytest

from crust_pipeline.app.installation import Installation

NOTEBOOK = Path(__file__).parent.parent / "examples" / "notebook.py"


# marimo and the libraries it looks for warn about themselves.
@pytest.mark.filterwarnings("default")
def test_the_notebook_runs_and_counts_every_outcome(
    bought: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRUST_DATA_DIR", str(bought.settings.data_dir))
    app: Any = runpy.run_path(str(NOTEBOOK))["app"]
    _, defined = app.run()
    with bought.lake.connect() as con:
        ((rows,),) = con.execute("SELECT count(*) FROM outcomes").fetchall()
    assert defined["rows_by_outcome"]["size"].sum() == rows
    assert len(defined["cost"]) > 0
