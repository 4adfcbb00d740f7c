"""The companies that people work for: how an identifier leads to one, and what its record holds.

Like people they are invented and follow from the identifier. Those of `words.COMPANIES` have the
ids that roles of people name; beside them every number N is an id, of `company-N.example`.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from crust_pipeline.sandbox.people import Dice, slug_of
from crust_pipeline.sandbox.words import COMPANIES, INVESTORS, PLACES, TEXTS

T = TypeVar("T")

FIRST_ID = 700_001
FIRST_NETWORK_ID = 10_000_001
UNKNOWN_SHARE = 0.1

_NUMBER = "([1-9][0-9]{0,8})"
_ID = re.compile(_NUMBER)
_NUMBERED = re.compile(rf"company[- ]{_NUMBER}(?:[-.]example)?")


class _Fullest(Dice):
    """Draws of the example company: the first choice, and everything that may be there is."""

    def chance(self, share: float) -> bool:
        return share > 0

    def pick(self, choices: Sequence[T]) -> T:
        return choices[0]


@dataclass(frozen=True, slots=True)
class Company:
    """A company the vendor may know, by its id."""

    company_id: int

    @property
    def known(self) -> bool:
        """Whether the vendor has a record of it."""
        return self.dice("fate", 1).chance(1 - UNKNOWN_SHARE)

    @property
    def name(self) -> str:
        """What it is called."""
        return self._named[0]

    @property
    def domain(self) -> str:
        """Its web domain, the one that roles of people name."""
        return self._named[1]

    @property
    def slug(self) -> str:
        """The last part of its profile URL."""
        return self.domain.replace(".", "-")

    @property
    def network_id(self) -> int:
        """Its number at the professional network, which profile URLs may have for a slug."""
        return self.company_id - FIRST_ID + FIRST_NETWORK_ID

    @property
    def headcount(self) -> int:
        """How many people work there."""
        dice = self.dice("size", 2)
        return 1 + dice.below(5 ** (1 + dice.below(6)))

    @property
    def _named(self) -> tuple[str, str]:
        at = self.company_id - FIRST_ID
        if 0 <= at < len(COMPANIES):
            return COMPANIES[at]
        return f"Company {self.company_id}", f"company-{self.company_id}.example"

    def written(self, identifier_type: str) -> str:
        """Return its identifier of a type."""
        return {"domains": self.domain, "names": self.name}.get(identifier_type) or (
            str(self.company_id)
            if identifier_type == "crustdata_company_ids"
            else f"https://www.linkedin.com/company/{self.slug}"
        )

    def dice(self, group: str, draws: int) -> Dice:
        """Draws for one group, independent of the other groups."""
        kind = _Fullest if self.company_id == FIRST_ID else Dice
        return kind(f"company {group}:{self.company_id}", draws=draws)


_BY_TEXT = {
    text.casefold(): company
    for company in (Company(FIRST_ID + at) for at in range(len(COMPANIES)))
    for text in (company.name, company.domain, company.slug)
}


@lru_cache(maxsize=65536)
def company_of(identifier_type: str, identifier: str) -> Company | None:
    """Return the company that an identifier means, known or not; None when it means none."""
    text = identifier.strip().casefold()
    if identifier_type == "crustdata_company_ids":
        return Company(int(text)) if _ID.fullmatch(text) else None
    if identifier_type == "professional_network_profile_urls":
        text = slug_of(identifier, kind="company") or ""
        if _ID.fullmatch(text):
            number = int(text) - FIRST_NETWORK_ID + FIRST_ID
            return Company(number) if number > 0 else None
    if identifier_type == "domains":
        text = text.removeprefix("www.")
    numbered = _NUMBERED.fullmatch(text)
    return Company(int(numbered[1])) if numbered else _BY_TEXT.get(text)


def find(identifier_type: str, identifier: str) -> Company | None:
    """Return the company an identifier resolves to; None when the vendor knows none."""
    company = company_of(identifier_type, identifier)
    return company if company is not None and company.known else None


def key_of(identifier_type: str, identifier: str) -> str:
    """Return what counts as one identifier in the accounts: the company's id, or else the text."""
    company = company_of(identifier_type, identifier)
    return str(company.company_id) if company else identifier


def stranger(number: int) -> Company:
    """Return a known company that no person works for."""
    candidates = (Company(90_000_000 + 100 * number + n) for n in range(100))
    return next(company for company in candidates if company.known)


def record(company: Company, groups: Iterable[str] | None = None) -> dict[str, Any]:
    """Return the record of a company, whole or only some groups of it; the id is always there."""
    whole: dict[str, Any] = {"crustdata_company_id": company.company_id}
    for group in GROUPS if groups is None else groups:
        if group in GROUPS:
            share, make = GROUPS[group]
            dice = company.dice(group, 64)
            if dice.chance(share):
                whole[group] = make(company, dice)
    return whole


def _basic_info(company: Company, dice: Dice) -> dict[str, Any]:
    year = str(1950 + dice.below(75))
    url = f"https://www.linkedin.com/company/{company.slug}"
    return {
        "name": company.name,
        "primary_domain": company.domain,
        "all_domains": [company.domain, *([f"get-{company.domain}"] if dice.chance(0.3) else [])],
        "website": f"https://{company.domain}/" if dice.chance(0.9) else dice.pick(("", None)),
        "professional_network_url": url if dice.chance(0.95) else None,
        "professional_network_id": str(company.network_id),
        "company_type": dice.pick(("Privately Held", "Public Company", "Nonprofit", "", None)),
        # A year or a whole date, by the source the vendor has it from (vendor documents).
        "year_founded": dice.pick((year, f"{year}-01-01", year, f"{year}-01-01", None)),
        "employee_count_range": _size(company.headcount) if dice.chance(0.9) else "",
        "industries": dice.pick((["Software Development"], ["Energy", "Utilities"], [])),
        "markets": dice.pick((["NASDAQ"], [], [], None)),
        "description": dice.pick(TEXTS),
    }


def _size(headcount: int) -> str:
    limits = ((10, "1-10"), (50, "11-50"), (200, "51-200"), (1000, "201-1000"), (5000, "1001-5000"))
    return next((words for limit, words in limits if headcount <= limit), "5001+")


def _headcount(company: Company, dice: Dice) -> dict[str, Any]:
    total = company.headcount
    engineers = dice.below(total)
    spans = ("1m", "3m", "6m", "12m") if dice.chance(0.9) else ("1m", "3m")
    growth = {span: dice.below(4000) / 100 for span in spans}
    return {
        "total": total,
        "growth_percent": growth if dice.chance(0.9) else None,
        "largest_headcount_country": _ISO3[dice.pick(PLACES)[3]] or None,
        "by_role_absolute": {"Engineering": engineers, "Sales": total - engineers},
    }


def _funding(_: Company, dice: Dice) -> dict[str, Any]:
    if not dice.chance(0.7):
        nothing = dict.fromkeys(("last_round_amount_usd", "last_fundraise_date", "last_round_type"))
        return {"total_investment_usd": dice.pick((0, None)), **nothing, "investors": []}
    last = 100_000 * (1 + dice.below(900))
    return {
        "total_investment_usd": last + 50_000 * dice.below(9000),
        "last_round_amount_usd": last if dice.chance(0.9) else None,
        "last_fundraise_date": f"{2012 + dice.below(14)}-{1 + dice.below(12):02d}-01",
        "last_round_type": dice.pick(("seed", "series_a", "series_b", "")),
        "investors": [dice.pick(INVESTORS) for _ in range(dice.below(4))],
    }


_ISO3 = {
    "India": "IND",
    "United States": "USA",
    "Switzerland": "CHE",
    "Brazil": "BRA",
    "Nigeria": "NGA",
    "Japan": "JPN",
    "France": "FRA",
    "": "",
}


def _locations(_: Company, dice: Dice) -> dict[str, Any]:
    raw, city, state, country = dice.pick(PLACES)[:4]
    # Two pages of the documents name these keys differently, so both forms occur.
    prefix = "" if dice.chance(0.8) else "hq_"
    parts = {"country": _ISO3[country], "state": state, "city": city or None}
    return {f"{prefix}{name}": part for name, part in parts.items()} | {"headquarters": raw}


def _taxonomy(_: Company, dice: Dice) -> dict[str, Any]:
    return {
        "professional_network_industry": dice.pick(("Software Development", "Energy", "")),
        "professional_network_specialities": dice.pick((["ETL", "R&D"], ["Wind, water"], [])),
        "categories": dice.pick((["SaaS"], ["Health Care", "Hospital"], [], None)),
    }


def _revenue(_: Company, dice: Dice) -> dict[str, Any]:
    lower = 500_000 * dice.below(2000)
    bounds = {"lower_bound_usd": lower, "upper_bound_usd": 2 * lower if dice.chance(0.9) else None}
    return {
        "estimated": bounds if dice.chance(0.9) else None,
        "acquisition_status": dice.pick(("acquired", None, None, "")),
    }


def _competitors(company: Company, dice: Dice) -> dict[str, Any]:
    others = [Company(FIRST_ID + dice.below(len(COMPANIES))) for _ in range(dice.below(4))]
    others = [other for other in others if other != company]
    return {
        "company_ids": [other.company_id for other in others],
        "websites": [f"https://{other.domain}/" for other in others],
    }


def _count(name: str, **more: Any) -> Callable[[Company, Dice], dict[str, Any]]:  # noqa: ANN401 - JSON
    return lambda _, dice: {name: dice.below(50_000), **more}


GROUPS: dict[str, tuple[float, Callable[[Company, Dice], Any]]] = {
    "basic_info": (1.0, _basic_info),
    "headcount": (0.95, _headcount),
    "funding": (0.8, _funding),
    "locations": (0.95, _locations),
    "taxonomy": (0.9, _taxonomy),
    "revenue": (0.8, _revenue),
    "hiring": (0.8, lambda _, dice: {"openings_count": dice.pick((3, 0, 120, None))}),
    "followers": (
        0.9,
        lambda _, dice: {
            "count": dice.below(60_000),
            "yoy_percent": dice.pick((12.5, -3.0, 0, None)),
        },
    ),
    "competitors": (0.7, _competitors),
    # The keys of these are not in the pages at hand; what they hold is invented.
    "roles": (0.4, lambda _, dice: {"distribution": {"Engineering": dice.below(100)}}),
    "social_profiles": (0.4, lambda who, _: {"twitter_url": f"https://{who.domain}/x"}),
    "web_traffic": (0.4, _count("monthly_visitors")),
    "seo": (0.4, _count("monthly_organic_clicks")),
    "employee_reviews": (0.4, _count("review_count", overall_rating=4.1)),
    "software_reviews": (0.2, _count("review_count", average_rating=None)),
    "news": (0.3, lambda who, _: [{"title": f"{who.name} grows", "url": "https://news.example/"}]),
    "people": (0.3, lambda _, dice: {"founders": dice.pick(([], None)), "cxos": []}),
}
"""The share of companies that have each group, and how it is made."""
