"""Ledgers of earlier releases: they open, know what is bought, and are lost by no accident."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event

from crust_pipeline.buying.decide import InputRow, Policy
from crust_pipeline.buying.plan import PlanReport, plan
from crust_pipeline.ledger import schema
from crust_pipeline.ledger import submit as ledger_submit
from crust_pipeline.ledger.migrations import migrations_after
from crust_pipeline.ledger.migrations.versions import tables_0002
from crust_pipeline.ledger.states import LedgerError, Verdict
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.ledger.upgrading import Upgrade
from crust_pipeline.vendors.crustdata.products import CONTACT_BATCH as CONTACT
from crust_pipeline.vendors.crustdata.products import ENRICH, IDENTIFY
from crust_pipeline.vendors.product import Product
from crust_pipeline.vendors.pronto.products import BULK_CONTACTS
from crust_pipeline_tests.databases import POSTGRES, new_ledger_url
from crust_pipeline_tests.old_ledgers import COMMITS, FIRST, dump, old_ledger

# More than a week after the ledgers were made, when a denial of fields is forgotten.
NOW = datetime(2026, 12, 20, 12, 0, tzinfo=UTC)
MONDAY, TUESDAY = date(2026, 11, 2), date(2026, 11, 3)
FIELDS = ("basic_profile", "experience", "skills")
POLICY = Policy(refresh_after=timedelta(days=90), retry_not_found_after=timedelta(days=90))
VENDOR, PRONTO = "vendor.example", "pronto@pronto.example"

only_sqlite = pytest.mark.skipif(POSTGRES is not None, reason="about files")
every_old_ledger = pytest.mark.parametrize("commit", COMMITS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Ledger]:
    folder = tmp_path / "fresh"
    folder.mkdir()
    ledger = Ledger(new_ledger_url(folder), account=VENDOR)
    yield ledger
    ledger.close()


def opened(url: str, account: str = VENDOR) -> Ledger:
    ledger = Ledger(url, account=account)
    with ledger.read():
        return ledger


def shape(con: sa.Connection) -> dict[str, Any]:
    """Tables with everything that tells them apart, but for the order of columns."""
    there = sa.inspect(con)

    def by_name(found: list[Any]) -> dict[str, Any]:
        return {
            str(item["name"]): {name: str(value) for name, value in item.items()} for item in found
        }

    return {
        table: {
            "columns": by_name(there.get_columns(table)),
            "key": there.get_pk_constraint(table),
            "unique": by_name(there.get_unique_constraints(table)),
            "indexes": by_name(there.get_indexes(table)),
        }
        for table in there.get_table_names()
    }


def shape_of(ledger: Ledger) -> dict[str, Any]:
    with ledger.read() as con:
        return shape(con)


def test_the_version_is_that_of_the_last_migration() -> None:
    versions = [migration.version for migration in migrations_after(0)]
    assert versions == list(range(2, schema.VERSION + 1))


def test_every_migration_says_in_a_line_what_it_does() -> None:
    for migration in migrations_after(0):
        assert migration.what.endswith("."), migration


def test_the_migrations_lead_to_the_tables_that_the_schema_describes(
    fresh: Ledger, tmp_path: Path
) -> None:
    migrated = sa.create_engine(new_ledger_url(tmp_path))
    with migrated.begin() as con:
        for migration in migrations_after(0):
            migration.upgrade(Operations(MigrationContext.configure(con)))
        assert shape(con) == shape_of(fresh)
    migrated.dispose()


@every_old_ledger
def test_an_old_ledger_gets_the_shape_of_a_new_one(
    commit: str, fresh: Ledger, tmp_path: Path
) -> None:
    ledger = opened(old_ledger(commit, tmp_path))
    assert shape_of(ledger) == shape_of(fresh)
    with ledger.read() as con:
        assert con.execute(sa.select(schema.info)).scalar_one() == schema.VERSION
    ledger.close()


def keys_to_buy(
    ledger: Ledger, rows: dict[str, tuple[date, str]], operation: Product, *fields: str
) -> set[str]:
    """Plan the same people again; whom it would buy."""
    report: PlanReport = plan(
        ledger,
        dict.fromkeys(("profile_url", "email"), operation),
        rows=[InputRow(day, row_id, key) for row_id, (day, key) in rows.items()],
        partitions=sorted({day for day, _ in rows.values()}),
        fields=fields,
        policy=POLICY,
        now=NOW,
    )
    assert report.rows == len(rows)
    assert report.count(Verdict.NOT_PERMITTED) == 0
    return {key for batch in report.batches for key, _, _ in batch.identifiers}


def person(name: str) -> str:
    return f"linkedin.com/in/{name}-example"


@every_old_ledger
def test_an_old_ledger_knows_what_is_bought(commit: str, tmp_path: Path) -> None:
    url = old_ledger(commit, tmp_path)
    ledger = opened(url)
    names = ("ada", "bob", "cleo", "dan", "eve", "finn", "gil", "ivy")
    days = {"ada": MONDAY, "bob": MONDAY, "cleo": MONDAY}
    everybody = {name: (days.get(name, TUESDAY), person(name)) for name in names}
    # The submit of gil was refused: never bought, and free to be.
    assert keys_to_buy(ledger, everybody, ENRICH, *FIELDS) == {person("gil")}
    if commit != FIRST:
        ada = {"m1": (MONDAY, person("ada"))}
        assert keys_to_buy(ledger, ada, CONTACT, "business_email") == set()
        mail = {"m4": (MONDAY, "ada@example.com")}
        assert keys_to_buy(ledger, mail, IDENTIFY) == set()
    ledger.close()


@pytest.mark.parametrize("commit", ["33aae5f", "a9782b8", "7ab796a"])
def test_an_old_ledger_knows_what_is_bought_of_pronto(commit: str, tmp_path: Path) -> None:
    ledger = opened(old_ledger(commit, tmp_path), PRONTO)
    both = {"m1": (MONDAY, person("ada")), "t5": (TUESDAY, person("bob"))}
    personal = BULK_CONTACTS["bulk_contact_personal_email"]
    assert keys_to_buy(ledger, both, personal, *personal.fields) == {person("bob")}
    business = BULK_CONTACTS["bulk_contact"]
    assert keys_to_buy(ledger, both, business, *business.fields) == {person("ada")}
    ledger.close()


def test_what_pronto_sold_under_both_names_stays_known_once(tmp_path: Path) -> None:
    url = old_ledger("33aae5f", tmp_path)
    engine = sa.create_engine(url)
    tables = sa.MetaData()
    with engine.begin() as con:
        tables.reflect(con)
        claims, days = tables.tables["claims"], tables.tables["days"]
        old = con.execute(sa.select(claims).where(claims.c.submission_id == f"{9:032x}")).one()
        again = {"operation": "bulk_contact_personal_email", "submission_id": f"{11:032x}"}
        con.execute(claims.insert().values(**(dict(old._mapping) | again)))
        planned = sa.select(days).where(days.c.operation == "bulk_contact")
        for day in con.execute(planned).all():
            new = {"operation": "bulk_contact_personal_email"}
            con.execute(days.insert().values(**(dict(day._mapping) | new)))
    engine.dispose()
    ledger = opened(url, PRONTO)
    with ledger.read() as con:
        query = sa.select(schema.claims).where(schema.claims.c.operation.like("bulk_contact_%"))
        assert con.execute(query).one().submission_id == f"{11:032x}"
    ledger.close()


@every_old_ledger
def test_nothing_of_an_old_ledger_is_lost(commit: str, tmp_path: Path) -> None:
    url = old_ledger(commit, tmp_path)
    engine = sa.create_engine(url)
    with engine.connect() as con:
        before = counts(con)
        total = con.exec_driver_sql("SELECT sum(credits_computed) FROM submissions").scalar_one()
    engine.dispose()
    ledger = opened(url)
    with ledger.read() as con:
        after = counts(con)
        computed = sa.select(sa.func.sum(schema.submissions.c.credits_computed))
        assert con.execute(computed).scalar_one() == Decimal(total) / 10_000
    assert before == {table: count for table, count in after.items() if table in before}
    ledger.close()


def counts(con: sa.Connection) -> dict[str, int]:
    names = sa.inspect(con).get_table_names()
    counting = "SELECT count(*) FROM {}"
    return {
        name: con.exec_driver_sql(counting.format(name)).scalar_one()
        for name in names
        if name != "field_sets"  # numbers, not what is numbered
    }


def test_the_first_ledger_is_told_what_it_did_not_keep(tmp_path: Path) -> None:
    ledger = opened(old_ledger(FIRST, tmp_path))
    with ledger.read() as con:
        foreign = con.execute(sa.select(schema.foreign_jobs)).one()
        assert foreign.submission_id == f"{4:032x}"
        denied = con.execute(
            sa.select(schema.submissions).where(schema.submissions.c.submission_id == f"{2:032x}")
        ).one()
        assert (denied.field_set, denied.covers) == (
            "basic_profile,experience",
            "basic_profile,experience,skills",
        )
        assert (denied.product, denied.takes_slot) == ("enrich", True)
        refused = con.execute(
            sa.select(schema.submissions).where(schema.submissions.c.submission_id == f"{11:032x}")
        ).one()
        assert (refused.refused_sha256, refused.kept_at) == ("1" * 64, None)
        landed = schema.submissions.c.kept_at == schema.submissions.c.landed_at
        assert len(con.execute(sa.select(schema.submissions).where(landed)).all()) == 2
        while_paused = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
        pause = ledger_submit.pause_of(con, VENDOR, now=while_paused)
        assert pause is not None
        assert pause.detail == "no credits"
    ledger.close()


def test_who_has_a_claim_with_a_denied_field_as_well_keeps_both(tmp_path: Path) -> None:
    url = old_ledger(FIRST, tmp_path)
    engine = sa.create_engine(url)
    with engine.begin() as con:
        con.exec_driver_sql(
            "INSERT INTO claims SELECT account, operation, profile_key, 'basic_profile,experience',"
            " submission_id, answer, answered_at FROM claims WHERE submission_id LIKE '%%1'"
        )
    engine.dispose()
    ledger = opened(url)
    with ledger.read() as con:
        kept = sa.select(sa.func.count()).select_from(schema.claims)
        assert con.execute(kept).scalar_one() == 9
    ledger.close()


def test_an_old_ledger_that_a_later_commit_has_added_tables_to_is_upgraded_all_the_same(
    fresh: Ledger, tmp_path: Path
) -> None:
    url = old_ledger(FIRST, tmp_path)
    engine = sa.create_engine(url)
    tables_0002.TABLES.create_all(engine)  # as opening did, before it failed for want of a column
    engine.dispose()
    ledger = opened(url)
    assert shape_of(ledger) == shape_of(fresh)
    ledger.close()


def test_an_upgraded_ledger_goes_on(tmp_path: Path) -> None:
    """Numbers that the database gives out do not begin again."""
    url = old_ledger(FIRST, tmp_path)
    ledger = opened(url)
    everybody = {"t4": (TUESDAY, person("gil"))}
    assert keys_to_buy(ledger, everybody, ENRICH, *FIELDS) == {person("gil")}
    assert ledger_submit.claim_next(ledger, max_active=9, owner="a-host:1", now=NOW)
    ledger.close()


@only_sqlite
@every_old_ledger
def test_before_an_upgrade_the_file_is_copied(commit: str, path: Path) -> None:
    url = old_ledger(commit, path.parent)
    before = dump(path)
    ledger = opened(url)
    backup = path.with_name(f"ledger.db.before-upgrade-to-{schema.VERSION}")
    assert ledger.upgrade == Upgrade(1, schema.VERSION, backup)
    assert dump(backup) == before
    ledger.close()
    assert sorted(each.name for each in path.parent.iterdir()) == [path.name, backup.name]
    assert backup.stat().st_mode == path.stat().st_mode


def test_an_upgrade_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = old_ledger(FIRST, tmp_path)
    for _ in range(2):
        opened(url).close()
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert f"event=ledger_upgraded from_version=1 to_version={schema.VERSION}" in record.message


def test_two_who_open_an_old_ledger_at_the_same_time_upgrade_it_once(tmp_path: Path) -> None:
    url = old_ledger(FIRST, tmp_path)
    ledgers = [Ledger(url, account=VENDOR) for _ in range(4)]
    start = threading.Barrier(len(ledgers))

    def use(ledger: Ledger) -> None:
        start.wait()
        with ledger.read():
            pass

    threads = [threading.Thread(target=use, args=(ledger,)) for ledger in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(ledger.upgrade is not None for ledger in ledgers) == 1
    for ledger in ledgers:
        ledger.close()


def test_a_newer_ledger_is_refused_as_newer(fresh: Ledger) -> None:
    newer = schema.VERSION + 1
    with fresh.write() as tx:
        tx.con.execute(schema.info.update().values(version=newer))
    fresh.close()
    expected = f"newer release: it has version {newer} .* up to {schema.VERSION}. Nothing was"
    with pytest.raises(LedgerError, match=expected), fresh.read():
        pass
    with pytest.raises(LedgerError, match=expected):
        fresh.standing()


@only_sqlite
def test_an_upgrade_that_fails_changes_nothing_and_speaks_of_no_damage(path: Path) -> None:
    url = old_ledger(FIRST, path.parent)
    before = dump(path)
    path.with_name(f"ledger.db.before-upgrade-to-{schema.VERSION}.unfinished").mkdir()
    with pytest.raises(LedgerError, match="could not be upgraded") as caught:
        opened(url)
    assert "damage" not in str(caught.value)
    assert dump(path) == before


@only_sqlite
def test_what_the_database_refuses_while_it_upgrades_speaks_of_no_damage(path: Path) -> None:
    url = old_ledger(FIRST, path.parent)
    con = sqlite3.connect(path)
    con.execute("CREATE TABLE claims_before (in_the_way)")
    con.close()
    before = dump(path)
    with pytest.raises(LedgerError, match="claims_before") as caught:
        opened(url)
    assert "damage" not in str(caught.value)
    assert dump(path) == before


def test_a_ledger_upgraded_under_a_running_program_is_not_called_damaged(fresh: Ledger) -> None:
    with fresh.write() as tx:
        tx.con.exec_driver_sql("ALTER TABLE submissions RENAME COLUMN state TO stage")
    with pytest.raises(LedgerError, match="another release has upgraded it"), fresh.read() as con:
        con.execute(sa.select(schema.submissions.c.state))


_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload([__name__])
WRITES = ("CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE")


def open_and_be_killed(url: str, number: int) -> None:
    """Open a ledger, and be killed before that one of the statements that write."""
    seen = 0

    def count(*given: Any) -> None:
        nonlocal seen
        seen += given[2].lstrip().startswith(WRITES)
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(sa.Engine, "before_cursor_execute", count)
    opened(url)


@only_sqlite
def test_an_upgrade_killed_at_any_of_its_writes_has_not_happened(fresh: Ledger, path: Path) -> None:
    url = old_ledger(FIRST, path.parent)
    before = dump(path)
    killed = 0
    while True:
        process = _SERVER.Process(target=open_and_be_killed, args=(url, killed + 1))
        process.start()
        process.join(timeout=60)
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        killed += 1
        assert dump(path) == before
    assert killed > 20
    ledger = opened(url)
    assert ledger.upgrade is None
    assert shape_of(ledger) == shape_of(fresh)
    ledger.close()


@only_sqlite
def test_a_ledger_that_is_up_to_date_opens_without_the_means_to_upgrade_it(
    fresh: Ledger, tmp_path: Path
) -> None:
    opened(f"sqlite:///{tmp_path / 'ledger.db'}").close()
    program = (
        "import sys; from crust_pipeline.ledger.store import Ledger\n"
        "with Ledger(sys.argv[1], account='test').read(): pass\n"
        "assert 'alembic' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", program, f"sqlite:///{tmp_path / 'ledger.db'}"], check=True
    )
