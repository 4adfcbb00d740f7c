"""The page docs/checks.md, made from the checks of the asset graph.

`make docs` writes it; a test holds it current.
"""

import dagster as dg

_HEAD = """\
# Checks

Made from the code: `make docs`. Each is asked once per
run, for all of its days, and shows its numbers also when it passes. What stops a run stops it
before the warehouse is loaded; everything else warns.

| asset | check | holds | if not |
|---|---|---|---|
"""


def checks_page(definitions: dg.Definitions) -> str:
    """Give the page."""
    graph = definitions.resolve_asset_graph()
    specs = [graph.get_check_spec(key) for key in graph.asset_check_keys]
    lines = sorted(
        f"| `{spec.asset_key.to_user_string()}` | `{spec.name}` | {spec.description} | "
        f"{'stops the run' if spec.blocking else 'warns'} |"
        for spec in specs
    )
    return _HEAD + "\n".join(lines) + "\n"
