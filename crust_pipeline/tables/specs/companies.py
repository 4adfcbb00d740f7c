"""The table `companies`: what operation `company_enrich` delivers, once for each company.

What the vendor's documents name of the five groups that are asked for has a column; the rest of
them, and the groups that nobody asks for, are kept as delivered.
"""

from typing import Final

from crust_pipeline.tables.spec import Column, Source, Table
from crust_pipeline.tables.specs.common import (
    LINEAGE,
    amount,
    as_delivered,
    count,
    day,
    text,
)
from crust_pipeline.vendors.crustdata.lines import COMPANY

_BASIC: Final = "data.basic_info"
_COUNT: Final = "data.headcount"
_FUNDING: Final = "data.funding"
_PLACE: Final = "data.locations"
_TAXONOMY: Final = "data.taxonomy"


def _texts(name: str, path: str, description: str) -> Column:
    return Column(name, "VARCHAR[]", description, (path,))


COMPANIES: Final = Table(
    name="companies",
    one_row_per="company enriched",
    sources=(Source(COMPANY),),
    order=("company_key", "submission_id", "source_line"),
    columns=(
        Column(
            "company_key",
            "VARCHAR",
            "Key of what was asked for: company_id:<Crustdata's id>, or company_domain:<domain>.",
        ),
        Column(
            "crustdata_company_id", "BIGINT", "Crustdata's id of the company.", COMPANY.subject_id
        ),
        text("name", f"{_BASIC}.name", "Name."),
        text("primary_domain", f"{_BASIC}.primary_domain", "Main domain."),
        _texts("all_domains", f"{_BASIC}.all_domains", "Every domain."),
        text("website", f"{_BASIC}.website", "Website."),
        text(
            "professional_network_url",
            f"{_BASIC}.professional_network_url",
            "Page in the professional network.",
        ),
        text(
            "professional_network_id",
            f"{_BASIC}.professional_network_id",
            "The professional network's id of the company.",
        ),
        text("description", f"{_BASIC}.description", "The company's own description."),
        text("company_type", f"{_BASIC}.company_type", "Such as Privately Held."),
        text("year_founded", f"{_BASIC}.year_founded", "A year, or a date of which it is good."),
        text("employee_count_range", f"{_BASIC}.employee_count_range", "Employees as a range."),
        _texts("industries", f"{_BASIC}.industries", "Industries."),
        as_delivered("markets", f"{_BASIC}.markets", "Markets"),
        count("headcount", f"{_COUNT}.total", "People who name it as their employer."),
        as_delivered("headcount_growth_percent", f"{_COUNT}.growth_percent", "Headcount growth"),
        text(
            "largest_headcount_country",
            f"{_COUNT}.largest_headcount_country",
            "The country where most of them are.",
        ),
        as_delivered("headcount_by_role", f"{_COUNT}.by_role_absolute", "Headcount by role"),
        amount("funding_total_usd", f"{_FUNDING}.total_investment_usd", "Raised in all, in USD."),
        amount(
            "last_round_usd", f"{_FUNDING}.last_round_amount_usd", "Raised in the last round, USD."
        ),
        day("last_round_on", f"{_FUNDING}.last_fundraise_date", "Day of the last round."),
        text("last_round_type", f"{_FUNDING}.last_round_type", "Such as series_a."),
        _texts("investors", f"{_FUNDING}.investors", "Investors."),
        Column(
            "country",
            "VARCHAR",
            "Country of the headquarters.",
            (f"{_PLACE}.country", f"{_PLACE}.hq_country"),
        ),
        Column(
            "state",
            "VARCHAR",
            "State or region of the headquarters.",
            (f"{_PLACE}.state", f"{_PLACE}.hq_state"),
        ),
        Column(
            "city",
            "VARCHAR",
            "City of the headquarters.",
            (f"{_PLACE}.city", f"{_PLACE}.hq_city"),
        ),
        text("headquarters", f"{_PLACE}.headquarters", "The headquarters as written."),
        text(
            "industry",
            f"{_TAXONOMY}.professional_network_industry",
            "Industry, by the professional network.",
        ),
        as_delivered(
            "specialities", f"{_TAXONOMY}.professional_network_specialities", "Specialities"
        ),
        as_delivered("categories", f"{_TAXONOMY}.categories", "Categories"),
        *(
            as_delivered(name, f"data.{name}", name.replace("_", " ").capitalize())
            for name in (
                *("revenue", "roles", "hiring", "followers", "competitors", "social_profiles"),
                *("web_traffic", "seo", "employee_reviews", "software_reviews", "news", "people"),
            )
        ),
        *LINEAGE,
    ),
)
