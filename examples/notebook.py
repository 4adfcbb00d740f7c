"""A marimo notebook that reads the lake. It is plain Python; a test runs it.

After a run, or the demo: `marimo edit examples/notebook.py`.
"""

import marimo

app = marimo.App(width="medium", app_title="crust_pipeline: what was bought")


@app.cell
def _():
    import altair as alt
    import marimo as mo
    import pandas as pd

    from crust_pipeline.app.installation import Installation
    from crust_pipeline.settings import Settings

    # The same settings as everything else: CRUST_DATA_DIR says where the lake is.
    lake = Installation(settings=Settings.from_env()).lake
    return alt, lake, mo, pd


@app.cell
def _(mo):
    mo.md("""
    # What was bought

    Tables come as DataFrames with `lake.read(table)`; marts and SQL through `lake.ask`.
    """)


@app.cell
def _(lake):
    outcomes = lake.read("outcomes")
    rows_by_outcome = outcomes.groupby(["operation", "outcome"], as_index=False).size()
    rows_by_outcome
    return (rows_by_outcome,)


@app.cell
def _(alt, rows_by_outcome):
    alt.Chart(rows_by_outcome).mark_bar().encode(
        x=alt.X("size:Q", title="input rows"),
        y=alt.Y("operation:N", title=None),
        color=alt.Color("outcome:N"),
    ).properties(title="What became of every input row")


@app.cell
def _(lake, pd):
    with lake.connect() as con:
        columns, rows = lake.ask(con, "FROM cost_per_result")
    cost = pd.DataFrame(rows, columns=columns)
    cost
    return (cost,)


@app.cell
def _(lake):
    employment = lake.read("employment")
    current = employment[employment["is_current"].fillna(value=False)]
    current["company_name"].value_counts().head(10)


if __name__ == "__main__":
    app.run()
