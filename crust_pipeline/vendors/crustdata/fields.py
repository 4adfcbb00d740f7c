"""The names of all fields of a person that Crustdata knows, as its documents and answers show them.

A setting may name groups and everything under them. A name that is not here is taken for a typo.
"""

from collections.abc import Iterable
from typing import Final


def _parts(group: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{group}.{name}" for name in names)


_PLACE: Final = _parts("location", "raw", "city", "state", "country", "continent", "full_location")
_ROLE: Final = (
    *("name", "title", "start_date", "end_date", "is_default", "position_id", "description"),
    *("seniority_level", "function_category", "employment_type", "location.raw"),
    *("years_at_company", "years_at_company_raw", "business_email_verified"),
    *("crustdata_company_id", "professional_network_id", "company_status", "company_type"),
    *("company_professional_network_profile_url", "company_profile_picture_permalink"),
    *("company_website", "company_website_domain", "company_headquarters_country"),
    *("company_headcount_latest", "company_headcount_range", "company_hq_location"),
    *("company_hq_location_address_components", "company_industries"),
    "company_professional_network_industry",
)
_REPO: Final = (
    *("full_name", "owner", "is_fork", "parent", "description", "primary_language", "topics"),
    *("license_key", "archived", "disabled", "is_template", "has_issues", "has_projects"),
    *("has_wiki", "stars", "forks_count", "open_issues_count", "size"),
    *("github_created_at", "github_updated_at", "github_pushed_at"),
)
_LEAVES: Final = (
    *_parts(
        "basic_profile",
        *("name", "first_name", "last_name", "headline", "current_title", "summary", "languages"),
        *("professional_network_name", "profile_picture_permalink", "last_updated", *_PLACE),
        *_parts("normalized_title", "matched_title", "department", "sub_department"),
        *_parts("normalized_title", "similarity", "confident"),
    ),
    *_parts(
        "professional_network",
        *("name", "headline", "current_title", "summary", "pronoun", "connections", "followers"),
        *("open_to_cards", "profile_picture_permalink", "joined_date", "verifications"),
        *("metadata.last_scraped_source", *_PLACE),
    ),
    "social_handles.professional_network_identifier.profile_url",
    "social_handles.dev_platform_identifier.profile_url",
    "social_handles.twitter_identifier.slug",
    "social_handles.twitter_handle",
    *_parts("experience.employment_details.current", *_ROLE),
    *_parts("experience.employment_details.past", *_ROLE),
    *_parts("experience", "years_of_experience", "years_of_experience_raw"),
    *_parts(
        "education.schools",
        *("school", "degree", "field_of_study", "activities_and_societies", "description"),
        *("start_year", "end_year", "institute_logo_url", "institute_logo_permalink"),
        *("professional_network_id", *_PLACE),
    ),
    "skills.professional_network_skills",
    *_parts(
        "certifications",
        *("name", "issuing_organization", "issue_date", "expiration_date"),
        *("credential_id", "credential_url"),
    ),
    "honors.title",
    *_parts(
        "dev_platform_profiles",
        *("profile_url", "name", "bio", "email", "company_text", "website_url", "location.raw"),
        *("is_hireable", "followers", "following", "public_repo_count", "total_repos"),
        *("total_stars", "max_stars", "median_stars", "all_languages", "all_topics"),
        *("metadata.created_at", *_parts("repos", *_REPO)),
    ),
    *_parts("assessment.authenticity", "verdict", "tier"),
    *("social_posts", "crustdata_person_id", "updated_at", "indexed_at"),
    *("metadata.last_scraped_source", "region_address_components"),
)


def _with_groups(leaves: Iterable[str]) -> tuple[str, ...]:
    """Return leaves with the groups that they lie in, each before what is under it."""
    names: dict[str, None] = {}
    for leaf in leaves:
        parts = leaf.split(".")
        names.update(dict.fromkeys(".".join(parts[:end]) for end in range(1, len(parts) + 1)))
    return tuple(names)


PERSON_FIELDS: Final = _with_groups(_LEAVES)
