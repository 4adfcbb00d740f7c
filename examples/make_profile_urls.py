"""Makes data/profile_urls.csv: 600 rows of invented people over seven days, flawed as real ones.

    python examples/make_profile_urls.py [PATH]

Run again, it writes the same bytes. All mail domains end in .example, and every profile URL has
"sample" in it, so that none is anybody's.
"""

import csv
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize
from urllib.parse import quote

FIRST_DAY = date(2026, 11, 2)
ROWS_OF_DAY = (92, 88, 97, 84, 103, 71, 65)
COLUMNS = [
    "added_on",
    "profile_url",
    "business_email",
    "first_name",
    "last_name",
    "company_name",
    "company_domain",
    "external_id",
    "source",
    "campaign",
]

FIRST_NAMES = (
    "Ada", "Bjørn", "Chloé", "Darius", "Elif", "Farid", "Gwen", "Hugo", "Inês", "Jonas", "Kavya",
    "Léa", "Mateo", "Noor", "Olga", "Priya", "Quentin", "Rosa", "Søren", "Tomás", "Uma", "Viktor",
    "Wanja", "Ximena", "Yusuf", "Zoë", "Łukasz", "Ökke",
)  # fmt: skip
LAST_NAMES = (
    "Abelard", "Brandvold", "Castellan", "Dunmore", "Ekström", "Fairweather", "Grünwald",
    "Haverford", "Ivarsson", "Jankowska", "Kettleburn", "Lindqvist", "Marchetti", "Nørregaard",
    "O'Dwyer", "Pellerin", "Quillfeather", "Rosenthal", "Šimek", "Tannhäuser", "Underhill",
    "Vasconcelos", "Wexcombe",
)  # fmt: skip
COMPANIES = (
    ("Alder & Finch", "alderfinch.example"),
    ("Blue Harbour Freight", "blueharbour.example"),
    ("Cobalt Orchard", "cobaltorchard.example"),
    ("Dovetail, Sons and Co.", "dovetailsons.example"),
    ("Emberline Energy", "emberline.example"),
    ("Fjordlys", "fjordlys.example"),
    ("Gravel & Grain", "gravelgrain.example"),
    ("Halcyon Optics", "halcyonoptics.example"),
    ("Ironbark Robotics", "ironbark.example"),
    ("Juniper Works", "juniperworks.example"),
    ("Kiteworthy", "kiteworthy.example"),
)
SOURCES = ("crm", "webinar", "trade fair", "newsletter")
CAMPAIGNS = ("autumn", "autumn", "re-engage", "")


class Person(NamedTuple):
    """Somebody invented."""

    first_name: str
    last_name: str
    company_name: str
    company_domain: str
    slug: str
    business_email: str


# One person's profile URL as different systems export it.
SPELLINGS: tuple[Callable[[str], str], ...] = (
    "https://www.linkedin.com/in/{}".format,
    "https://www.linkedin.com/in/{}/".format,
    "http://www.linkedin.com/in/{}".format,
    "linkedin.com/in/{}".format,
    "https://m.linkedin.com/in/{}/".format,
    "https://il.linkedin.com/in/{}".format,
    "https://www.linkedin.com/in/{}?trk=public_profile&utm_source=crm".format,
    lambda slug: f"HTTPS://WWW.LINKEDIN.COM/IN/{slug.upper()}",
    lambda slug: f"https://www.linkedin.com/in/{quote(slug)}",
    lambda slug: f"https://www.linkedin.com/in/{quote(quote(slug)).lower()}/",
    lambda slug: f"https://www.linkedin.com/in/{normalize('NFD', slug)}",
    ' "https://www.linkedin.com/in/{}/details/experience/" '.format,
    "www.linkedin.com/in/{}#about".format,
    "https://de.linkedin.com/in/{}/en-us".format,
)

# What stands in the URL column of real tables and names nobody.
NOBODIES = (
    "https://www.linkedin.com/company/alder-finch-sample",
    "https://people.example/in/gwen-sample",
    "https://www.linkedin.com/in/",
    "n/a",
    "https://www.linkedin.com/pub/hugo-sample/1/2/3",
    "https://www.linkedin.com/school/juniper-sample/",
    "https://www.linkedin.com/in/rosa sample",
    "https://www.linkedin.com/in/caf%E9-sample",
    "linkedin",
)


def main() -> None:
    """Write the file."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "data/profile_urls.csv")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows())


def rows() -> Iterator[dict[str, str]]:
    """Make all rows, in the order of their days."""
    number = newcomers = 0
    for day_number, count in enumerate(ROWS_OF_DAY):
        before_today = newcomers
        for place in range(count):
            number += 1
            if place % 17 == 16:  # somebody of the same day again
                who = before_today + place // 2
            elif day_number and place % 13 == 12:  # somebody of a day before
                who = (number * 31) % before_today
            else:
                who, newcomers = newcomers, newcomers + 1
            yield row(number, FIRST_DAY + timedelta(days=day_number), person(who))


def row(number: int, day: date, who: Person) -> dict[str, str]:
    """Make one row; its number decides how the person is written and what is missing."""
    url = SPELLINGS[number % len(SPELLINGS)](who.slug)
    email = who.business_email if number % 3 else ""
    if number % 14 == 5:
        url, email = "", who.business_email.title() if number % 4 else who.business_email
    if number % 41 == 40:
        url = NOBODIES[number // 41 % len(NOBODIES)]
        email = who.business_email if number % 2 else ""
    if number % 199 == 198:
        url = email = ""
    return {
        "added_on": day.isoformat(),
        "profile_url": url,
        "business_email": email,
        "first_name": who.first_name,
        "last_name": who.last_name,
        "company_name": who.company_name,
        "company_domain": who.company_domain,
        "external_id": f"crm-{number:05d}",
        "source": SOURCES[number % len(SOURCES)],
        "campaign": CAMPAIGNS[number % len(CAMPAIGNS)],
    }


def person(number: int) -> Person:
    """Invent person `number`; the strides share no divisor with the lists, so names spread."""
    first_name = FIRST_NAMES[number * 5 % len(FIRST_NAMES)]
    last_name = LAST_NAMES[number * 7 % len(LAST_NAMES)]
    company_name, company_domain = COMPANIES[number * 3 % len(COMPANIES)]
    slug = f"{first_name}-{last_name}-sample-{number:03d}".lower().replace("'", "")
    # One exported name holds a comma, which must split neither the CSV nor a request.
    slug = slug.replace("-sample", ",-sample") if number % 100 == 50 else slug
    mailbox = f"{first_name}.{last_name}".lower().replace("ø", "o").replace("ł", "l")
    ascii_mailbox = "".join(c for c in normalize("NFD", mailbox) if c.isascii() and c != "'")
    return Person(
        first_name,
        last_name,
        company_name,
        company_domain,
        slug,
        f"{ascii_mailbox}.{number:03d}@{company_domain}",
    )


if __name__ == "__main__":
    main()
