"""What CONTRIBUTING.md says that an addition takes: made in a copy of the program, and used."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import crust_pipeline
from crust_pipeline_tests.additions import acme
from crust_pipeline_tests.people import DAYS

PROGRAM = Path(crust_pipeline.__file__).parent
CONTRIBUTING = PROGRAM.parent / "CONTRIBUTING.md"


class Copy:
    """A copy of the program that a contributor works on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.package = folder / "crust_pipeline"
        self.changed: set[str] = set()
        shutil.copytree(PROGRAM, self.package, ignore=shutil.ignore_patterns("__pycache__"))

    def write(self, path: str, text: str) -> None:
        """Write a new file."""
        (self.package / path).parent.mkdir(exist_ok=True)
        (self.package / path).write_text(text, encoding="utf-8")
        self.changed.add(path)

    def edit(self, path: str, *, before: str, add: str) -> None:
        """Put a text in front of another."""
        text = (self.package / path).read_text(encoding="utf-8")
        assert text.count(before) == 1, (path, before)
        self.write(path, text.replace(before, add + before))

    def run(self, *arguments: str, settings: dict[str, str]) -> str:
        """Run a command of the copy; its output."""
        return self.python("-m", "crust_pipeline", *arguments, settings=settings)

    def python(self, *arguments: str, settings: dict[str, str]) -> str:
        """Run Python on the copy; its output."""
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.folder), **settings}
        done = subprocess.run(
            [sys.executable, *arguments],
            env=environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path / "copy")


def documented(addition: str) -> set[str]:
    """Return the files that CONTRIBUTING.md names for an addition, `<…>` for what is new."""
    (row,) = re.findall(rf"^\| {addition} \| (.+) \|$", CONTRIBUTING.read_text(), re.MULTILINE)
    return set(re.findall(r"`([\w/<>.]+\.(?:py|sql))`", row))


def query(copy: Copy, settings: dict[str, str], sql: str) -> list[dict[str, object]]:
    return json.loads(copy.run("sql", sql, "--json", settings=settings))


def buy(copy: Copy, settings: dict[str, str]) -> None:
    day = DAYS[0].isoformat()
    copy.run("run", "--from", day, "--to", day, settings=settings)


def test_a_mart_takes_a_file_and_its_name(copy: Copy, settings: dict[str, str]) -> None:
    copy.write(
        "marts/people_by_country.sql",
        "-- How many people live in each country.\n--\n"
        "-- country: The country.\n-- people: How many.\n"
        "SELECT location_country AS country, count(*) AS people FROM people GROUP BY ALL\n",
    )
    copy.edit(
        "marts/__init__.py",
        before='        "contactable_people",',
        add='        "people_by_country",\n',
    )
    assert {"marts/<mart>.sql", "marts/__init__.py"} == documented("a mart")
    assert copy.changed == {"marts/people_by_country.sql", "marts/__init__.py"}
    buy(copy, {**settings, "CRUST_OPERATIONS": "enrich"})
    rows = query(copy, settings, "SELECT sum(people) AS n FROM people_by_country")
    assert rows[0]["n"]
    assets = (
        "from crust_pipeline.definitions import build_defs\n"
        "print([key.to_user_string() for key in build_defs().resolve_all_asset_keys()])"
    )
    assert "people_by_country" in copy.python("-c", assets, settings=settings)


def test_a_column_takes_a_line_of_its_tables_spec(copy: Copy, settings: dict[str, str]) -> None:
    copy.edit(
        "tables/specs/people.py",
        before='        text("headline"',
        add='        text("first_words", "data.basic_profile.headline", "The headline again."),\n',
    )
    assert {"tables/specs/<table>.py", "vendors/<vendor>/products.py"} == documented("a column")
    buy(copy, {**settings, "CRUST_OPERATIONS": "enrich"})
    rows = query(copy, settings, "SELECT count(first_words) AS n FROM people")
    assert rows[0]["n"]


def test_an_operation_takes_a_product_its_line_and_its_table(
    copy: Copy, settings: dict[str, str]
) -> None:
    copy.edit(
        "vendors/crustdata/lines.py",
        before="COMPANY: Final = Line(",
        add="ABOUT: Final = Line(\n"
        '    name="about",\n'
        "    vendor=VENDOR,\n"
        '    identifiers=("original_identifier",),\n'
        '    required=("data",),\n'
        '    delivered=(Delivered("about"),),\n'
        '    content="data",\n'
        ")\n\n",
    )
    products = "vendors/crustdata/products.py"
    copy.edit(
        products,
        before="def _choose(",
        add="from crust_pipeline.vendors.crustdata.lines import ABOUT\n\n"
        "ABOUT_PEOPLE: Final = Product(\n"
        '    name="about",\n'
        '    operation="about",\n'
        "    vendor=VENDOR,\n"
        '    path="/batch/person/enrich",\n'
        "    cap=100,\n"
        '    identifier_keys={"profile_url": "professional_network_profile_urls"},\n'
        "    line=ABOUT,\n"
        '    items=(_item("about", "1", _PRICING_PAGE),),\n'
        '    fields=("basic_profile",),\n'
        '    known_fields=("basic_profile",),\n'
        "    lists_unresolved=False,\n"
        ")\n\n\n",
    )
    copy.edit(
        products,
        before='        case "enrich" if',
        add='        case "about":\n            return {"profile_url": ABOUT_PEOPLE}\n',
    )
    copy.edit(
        products,
        before='        case "enrich":\n            fields =',
        add='        case "about":\n            return ABOUT_PEOPLE.fields\n',
    )
    copy.edit(products, before="COMPANY_ENRICH),\n    account", add="ABOUT_PEOPLE, ")
    copy.write(
        "tables/specs/about.py",
        '"""The table `about`."""\n\n'
        "from crust_pipeline.tables.spec import Source, Table\n"
        "from crust_pipeline.tables.specs.common import LINEAGE, PROFILE_KEY, text\n"
        "from crust_pipeline.vendors.crustdata.lines import ABOUT\n\n"
        "ABOUTS = Table(\n"
        '    name="about",\n'
        '    one_row_per="person",\n'
        "    sources=(Source(ABOUT),),\n"
        '    order=("profile_key", "submission_id", "source_line"),\n'
        "    columns=(\n"
        "        PROFILE_KEY,\n"
        '        text("headline", "data.basic_profile.headline", "The headline."),\n'
        "        *LINEAGE,\n"
        "    ),\n"
        ")\n",
    )
    specs = "tables/specs/__init__.py"
    copy.edit(
        specs,
        before="TABLES: Final",
        add="from crust_pipeline.tables.specs.about import ABOUTS\n\n",
    )
    copy.edit(specs, before="            COMPANIES,", add="            ABOUTS,\n")
    assert documented("an operation") == {
        "vendors/<vendor>/products.py",
        "vendors/<vendor>/lines.py",
        "tables/specs/<table>.py",
        "tables/specs/__init__.py",
    }
    assert copy.changed == {
        "vendors/crustdata/products.py",
        "vendors/crustdata/lines.py",
        "tables/specs/about.py",
        "tables/specs/__init__.py",
    }
    settings = {**settings, "CRUST_OPERATIONS": "about"}
    buy(copy, settings)
    rows = query(copy, settings, "SELECT count(headline) AS n FROM about")
    spent = query(copy, settings, "SELECT sum(credits_computed) AS n FROM credit_usage")
    assert rows[0]["n"]
    assert int(str(rows[0]["n"])) <= float(str(spent[0]["n"]))


def test_a_vendor_takes_a_folder_and_its_name(copy: Copy, settings: dict[str, str]) -> None:
    for file in Path(acme.__file__).parent.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        own = text.replace("crust_pipeline_tests.additions.", "crust_pipeline.vendors.")
        copy.write(f"vendors/acme/{file.name}", own)
    copy.edit(
        "vendors/catalog.py",
        before="from crust_pipeline.vendors.crustdata.products import",
        add="from crust_pipeline.vendors.acme.products import ACME\n",
    )
    copy.edit("vendors/catalog.py", before="PRONTO)}", add="ACME, ")
    assert documented("a vendor") == {
        *("vendors/<vendor>/__init__.py", "vendors/<vendor>/client.py"),
        *("vendors/<vendor>/lines.py", "vendors/<vendor>/products.py", "vendors/catalog.py"),
    }
    assert copy.changed == {name.replace("<vendor>", "acme") for name in documented("a vendor")}
    settings = {
        **settings,
        "CRUST_OPERATIONS": "contact",
        "CRUST_BUSINESS_EMAIL_VENDORS": "acme",
    }
    buy(copy, settings)
    rows = query(copy, settings, "SELECT vendor, count(*) AS n FROM contact_emails GROUP BY ALL")
    assert rows == [{"vendor": "acme", "n": 6}]
