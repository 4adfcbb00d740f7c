"""The field names that requests may ask for, and the cutting of records down to them.

The vocabulary is written out, not derived from the invented people, so that a test can hold the one
against the other.
"""

from collections.abc import Iterable
from typing import Any

_LOCATION = ("raw", "city", "state", "country", "continent", "full_location")
_ROLE = (
    "name",
    "title",
    "start_date",
    "end_date",
    "is_default",
    "position_id",
    "crustdata_company_id",
    "professional_network_id",
    "company_professional_network_profile_url",
    "company_profile_picture_permalink",
    "company_website_domain",
    "company_website",
    "seniority_level",
    "function_category",
    "employment_type",
    "description",
    "location.raw",
    "years_at_company",
    "years_at_company_raw",
    "business_email_verified",
    "company_headcount_latest",
    "company_headcount_range",
    "company_headquarters_country",
    "company_hq_location",
    "company_hq_location_address_components",
    "company_industries",
    "company_professional_network_industry",
    "company_status",
    "company_type",
)
_REPO = (
    "full_name",
    "owner",
    "is_fork",
    "description",
    "primary_language",
    "topics",
    "license_key",
    "archived",
    "disabled",
    "is_template",
    "has_issues",
    "has_projects",
    "has_wiki",
    "stars",
    "forks_count",
    "open_issues_count",
    "size",
    "github_created_at",
    "github_updated_at",
    "github_pushed_at",
)


def _under(prefix: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{prefix}.{name}" for name in names)


# Leaves of each group (vendor documents, person record). A list's elements share the list's path.
_GROUPS: dict[str, tuple[str, ...]] = {
    "basic_profile": (
        "name",
        "first_name",
        "last_name",
        "headline",
        "current_title",
        "summary",
        "languages",
        "professional_network_name",
        "profile_picture_permalink",
        "last_updated",
        *_under("location", _LOCATION),
        *_under(
            "normalized_title",
            ("matched_title", "department", "sub_department", "similarity", "confident"),
        ),
    ),
    "professional_network": (
        "name",
        "headline",
        "current_title",
        "summary",
        "pronoun",
        "connections",
        "followers",
        "open_to_cards",
        "profile_picture_permalink",
        "joined_date",
        "verifications",
        "metadata.last_scraped_source",
        *_under("location", _LOCATION),
    ),
    "social_handles": (
        "professional_network_identifier.profile_url",
        "dev_platform_identifier.profile_url",
        "twitter_identifier.slug",
    ),
    "experience": (
        *_under("employment_details.current", _ROLE),
        *_under("employment_details.past", _ROLE),
        "years_of_experience",
        "years_of_experience_raw",
    ),
    "education": _under(
        "schools",
        (
            "school",
            "degree",
            "field_of_study",
            "activities_and_societies",
            "start_year",
            "end_year",
            "institute_logo_url",
            "institute_logo_permalink",
            "professional_network_id",
            "description",
            *_under("location", _LOCATION),
        ),
    ),
    "skills": ("professional_network_skills",),
    "certifications": (
        "name",
        "issuing_organization",
        "issue_date",
        "expiration_date",
        "credential_id",
        "credential_url",
    ),
    "honors": ("title",),
    "dev_platform_profiles": (
        "profile_url",
        "name",
        "bio",
        "email",
        "company_text",
        "website_url",
        "location.raw",
        "is_hireable",
        "followers",
        "following",
        "public_repo_count",
        "total_repos",
        "total_stars",
        "max_stars",
        "median_stars",
        "all_languages",
        "all_topics",
        "metadata.created_at",
        *_under("repos", _REPO),
    ),
    "assessment": ("authenticity.verdict", "authenticity.tier"),
    "social_posts": (),
    "crustdata_person_id": (),
    "updated_at": (),
}

_COMPANY_GROUPS: dict[str, tuple[str, ...]] = {
    "basic_info": (
        "name",
        "primary_domain",
        "all_domains",
        "website",
        "professional_network_url",
        "professional_network_id",
        "company_type",
        "year_founded",
        "employee_count_range",
        "industries",
        "markets",
        "description",
    ),
    "headcount": (
        "total",
        *_under("growth_percent", ("1m", "3m", "6m", "12m")),
        "largest_headcount_country",
        "by_role_absolute",
    ),
    "funding": (
        "total_investment_usd",
        "last_round_amount_usd",
        "last_fundraise_date",
        "last_round_type",
        "investors",
    ),
    "locations": (
        "country",
        "state",
        "city",
        "hq_country",
        "hq_state",
        "hq_city",
        "headquarters",
    ),
    "taxonomy": (
        "professional_network_industry",
        "professional_network_specialities",
        "categories",
    ),
    "revenue": (
        *_under("estimated", ("lower_bound_usd", "upper_bound_usd")),
        "acquisition_status",
    ),
    "hiring": ("openings_count",),
    "followers": ("count", "yoy_percent"),
    "competitors": ("company_ids", "websites"),
    **dict.fromkeys(
        (
            "roles",
            "social_profiles",
            "web_traffic",
            "seo",
            "employee_reviews",
            "software_reviews",
            "news",
            "people",
            "crustdata_company_id",
        ),
        (),
    ),
}

ENRICH_DEFAULTS = ("basic_profile", "social_handles")
"""What enrich returns when `fields` is left out (vendor documents, batch enrich)."""


def _with_branches(groups: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    paths: dict[str, None] = {}
    for group, leaves in groups.items():
        paths[group] = None
        for leaf in _under(group, leaves):
            parts = leaf.split(".")
            paths.update(dict.fromkeys(".".join(parts[:end]) for end in range(2, len(parts) + 1)))
    return tuple(paths)


ENRICH_FIELDS = _with_branches(_GROUPS)
"""Every group, branch and leaf that enrich accepts."""

COMPANY_DEFAULTS = ("basic_info",)
"""What company enrich returns when `fields` is left out; else it returns only what they name."""

COMPANY_FIELDS = _with_branches(_COMPANY_GROUPS)
"""Every family, branch and leaf that company enrich accepts."""

BATCH_CONTACT_FIELDS = (
    "business_email",
    "personal_contact_info",
    "personal_contact_info.personal_emails",
    "personal_contact_info.phone_numbers",
)
SYNC_CONTACT_FIELDS = (
    "contact",
    "contact.business_emails",
    "contact.personal_emails",
    "contact.phone_numbers",
    "contact.websites",
)

Tree = dict[str, "Tree | None"]
"""A selection: a key with None is wanted whole."""


def tree_of(paths: Iterable[str]) -> Tree:
    """Return the selection of all `paths`; a group includes its whole subtree."""
    root: Tree = {}
    for path in sorted(paths, key=lambda p: p.count(".")):
        node = root
        *branches, leaf = path.split(".")
        for branch in branches:
            below = node.setdefault(branch, {})
            if below is None:
                break
            node = below
        else:
            node[leaf] = None
    return root


def prune(value: Any, tree: Tree | None) -> Any:  # noqa: ANN401 - any JSON value
    """Return `value` with only the fields that `tree` selects; in a list, of every element."""
    if tree is None:
        return value
    if isinstance(value, list):
        return [prune(item, tree) for item in value]  # pyright: ignore[reportUnknownVariableType]  # JSON
    if isinstance(value, dict):
        return {key: prune(value[key], below) for key, below in tree.items() if key in value}
    return value


def denied(asked: Iterable[str], locked: Iterable[str]) -> list[str]:
    """Return the locked fields that `asked` names, lies under, or includes as a group."""
    asked = tuple(asked)
    return [
        lock
        for lock in locked
        if any(f"{lock}.".startswith(f"{a}.") or f"{a}.".startswith(f"{lock}.") for a in asked)
    ]


def without(value: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return `value` without the field at `path`; the rest is shared, not copied."""
    head, _, rest = path.partition(".")
    if isinstance(value, list):
        return [without(item, path) for item in value]  # pyright: ignore[reportUnknownVariableType]  # JSON
    if not isinstance(value, dict) or head not in value:
        return value  # pyright: ignore[reportUnknownVariableType]  # JSON
    kept: dict[str, Any] = {k: v for k, v in value.items() if k != head}  # pyright: ignore[reportUnknownVariableType]  # JSON
    if rest:
        kept[head] = without(value[head], rest)
    return kept
