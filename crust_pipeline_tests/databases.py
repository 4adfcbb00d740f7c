"""Where tests keep their ledgers: in SQLite files, or in the Postgres of CRUST_TEST_LEDGER_URL.

There (`postgresql+psycopg://user@host/database`) every ledger gets a schema of its own, which
stays.
"""

import os
import uuid
from pathlib import Path

import sqlalchemy as sa

# Read at import: no test sees the settings of whoever runs it.
POSTGRES = os.environ.get("CRUST_TEST_LEDGER_URL")


def new_ledger_url(folder: Path) -> str:
    """The URL of a new ledger, which is nobody else's."""
    if POSTGRES is None:
        return f"sqlite:///{folder / 'ledger.db'}"
    return in_new_schema(POSTGRES)


def in_new_schema(postgres: str) -> str:
    """The URL of a schema of its own in a database, which stays."""
    schema = f"test_{uuid.uuid4().hex}"
    engine = sa.create_engine(postgres)
    with engine.begin() as con:
        con.execute(sa.text(f"CREATE SCHEMA {schema}"))
    engine.dispose()
    url = sa.make_url(postgres).update_query_dict({"options": f"-csearch_path={schema}"})
    return url.render_as_string(hide_password=False)
