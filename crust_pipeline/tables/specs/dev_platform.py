"""The tables of a person's developer platform profiles, from operation `enrich`."""

from typing import Final

from crust_pipeline.tables.spec import Column, Source, Table
from crust_pipeline.tables.specs.common import (
    LINEAGE,
    POSITION,
    PROFILE_KEY,
    amount,
    count,
    flag,
    moment,
    text,
)
from crust_pipeline.tables.specs.people import PERSON_ID
from crust_pipeline.vendors.crustdata.lines import PROFILE

_WHO: Final = (PROFILE_KEY, PERSON_ID)
_PROFILES: Final = "data.dev_platform_profiles[]"

DEV_PLATFORM_PROFILES: Final = Table(
    name="dev_platform_profiles",
    one_row_per="developer platform profile of a person",
    sources=(Source(PROFILE, _PROFILES),),
    order=("profile_key", "submission_id", "source_line", "position"),
    columns=(
        *_WHO,
        POSITION,
        text("profile_url", ".profile_url", "URL of the profile."),
        text("name", ".name", "Name on the platform."),
        text("bio", ".bio", "Short text about the person."),
        text("email", ".email", "Public e-mail address on the platform."),
        text("company_text", ".company_text", "Employer as written."),
        text("website_url", ".website_url", "The person's website."),
        text("location_raw", ".location.raw", "Location as written."),
        flag("is_hireable", ".is_hireable", "Whether the person asks to be hired."),
        count("followers", ".followers", "Followers."),
        count("following", ".following", "People followed."),
        count("public_repo_count", ".public_repo_count", "Repositories, as the platform counts."),
        count("total_repos", ".total_repos", "Repositories, as the vendor counts."),
        count("total_stars", ".total_stars", "Stars over all repositories."),
        count("max_stars", ".max_stars", "Stars of the repository with most."),
        amount("median_stars", ".median_stars", "Median of stars per repository."),
        Column("all_languages", "VARCHAR[]", "Programming languages.", (".all_languages",)),
        Column("all_topics", "VARCHAR[]", "Topics.", (".all_topics",)),
        moment("profile_created_at", ".metadata.created_at", "When the profile was made"),
        *LINEAGE,
    ),
)

DEV_PLATFORM_REPOS: Final = Table(
    name="dev_platform_repos",
    one_row_per="repository of a developer platform profile",
    sources=(Source(PROFILE, f"{_PROFILES}.repos[]"),),
    order=("profile_key", "submission_id", "source_line", "profile_position", "position"),
    columns=(
        *_WHO,
        Column(
            "profile_position",
            "INTEGER",
            "Place of the profile, from 1; joins dev_platform_profiles.position.",
            (f"{_PROFILES}.#",),
        ),
        POSITION,
        text("dev_platform_url", f"{_PROFILES}.profile_url", "URL of that profile."),
        text("full_name", ".full_name", "Owner and name."),
        text("owner", ".owner", "Owner."),
        flag("is_fork", ".is_fork", "Whether it is a fork."),
        text("description", ".description", "Description."),
        text("primary_language", ".primary_language", "Main programming language."),
        Column("topics", "VARCHAR[]", "Topics.", (".topics",)),
        text("license_key", ".license_key", "Key of the licence."),
        flag("archived", ".archived", "Whether it is archived."),
        flag("disabled", ".disabled", "Whether it is disabled."),
        flag("is_template", ".is_template", "Whether it is a template."),
        flag("has_issues", ".has_issues", "Whether issues are on."),
        flag("has_projects", ".has_projects", "Whether projects are on."),
        flag("has_wiki", ".has_wiki", "Whether the wiki is on."),
        count("stars", ".stars", "Stars."),
        count("forks_count", ".forks_count", "Forks."),
        count("open_issues_count", ".open_issues_count", "Open issues."),
        count("size_kb", ".size", "Size, in the platform's kilobytes."),
        moment("github_created_at", ".github_created_at", "When it was made"),
        moment("github_updated_at", ".github_updated_at", "When it was last updated"),
        moment("github_pushed_at", ".github_pushed_at", "When it was last pushed to"),
        *LINEAGE,
    ),
)
