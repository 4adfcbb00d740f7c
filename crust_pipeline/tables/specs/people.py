"""The table `people`: what operation `enrich` delivers once per person.

Every leaf that the vendor's documents and users name is a column of this table or of one beside it.
"""

from typing import Final

from crust_pipeline.tables.spec import Column, Source, Table
from crust_pipeline.tables.specs.common import (
    IDENTITY_MISMATCH,
    LINEAGE,
    PROFILE_KEY,
    amount,
    as_delivered,
    count,
    flag,
    location,
    moment,
    text,
)
from crust_pipeline.vendors.crustdata.lines import PROFILE

PERSON_ID: Final = Column(
    "crustdata_person_id",
    "BIGINT",
    "Crustdata's id of the person.",
    ("data.crustdata_person_id", "internal_id"),
)

_BASIC: Final = "data.basic_profile"
_TITLE: Final = f"{_BASIC}.normalized_title"
_NETWORK: Final = "data.professional_network"
_HANDLES: Final = "data.social_handles"
_YEARS: Final = "years_of_experience"

PEOPLE: Final = Table(
    name="people",
    one_row_per="person enriched",
    sources=(Source(PROFILE),),
    order=("profile_key", "submission_id", "source_line"),
    columns=(
        PROFILE_KEY,
        PERSON_ID,
        text("name", f"{_BASIC}.name", "Full name."),
        text("first_name", f"{_BASIC}.first_name", "First name; often null while name is set."),
        text("last_name", f"{_BASIC}.last_name", "Last name; often null while name is set."),
        text("headline", f"{_BASIC}.headline", "Headline of the profile."),
        text("current_title", f"{_BASIC}.current_title", "Title of the main current role."),
        text("summary", f"{_BASIC}.summary", "The person's own summary; empty when not given."),
        *location("location", f"{_BASIC}.location", "Where the person lives"),
        count("connections", f"{_NETWORK}.connections", "Connections in the network."),
        count("followers", f"{_NETWORK}.followers", "Followers in the network."),
        text(
            "profile_url",
            f"{_HANDLES}.professional_network_identifier.profile_url",
            "The record's own profile URL.",
        ),
        IDENTITY_MISMATCH,
        as_delivered("languages", f"{_BASIC}.languages", "Languages"),
        text(
            "professional_network_name",
            f"{_BASIC}.professional_network_name",
            "Name as the professional network shows it.",
        ),
        text(
            "profile_picture_permalink",
            f"{_BASIC}.profile_picture_permalink",
            "Link to the picture.",
        ),
        text("normalized_title", f"{_TITLE}.matched_title", "The vendor's standard title."),
        text("normalized_department", f"{_TITLE}.department", "Department of that title."),
        text(
            "normalized_sub_department", f"{_TITLE}.sub_department", "Sub-department of that title."
        ),
        amount("normalized_title_similarity", f"{_TITLE}.similarity", "How close it is, 0 to 1."),
        flag("normalized_title_confident", f"{_TITLE}.confident", "Whether the vendor trusts it."),
        moment("basic_profile_updated_at", f"{_BASIC}.last_updated", "Last update of that profile"),
        text("network_name", f"{_NETWORK}.name", "Name in the network's own record."),
        text("network_headline", f"{_NETWORK}.headline", "Headline in the network's own record."),
        text("network_current_title", f"{_NETWORK}.current_title", "Current title in that record."),
        text("network_summary", f"{_NETWORK}.summary", "Summary in that record."),
        text("pronoun", f"{_NETWORK}.pronoun", "Pronoun as given."),
        text(
            "network_profile_picture_permalink",
            f"{_NETWORK}.profile_picture_permalink",
            "Link to the network's picture.",
        ),
        *location("network_location", f"{_NETWORK}.location", "Location in the network's record"),
        text(
            "last_scraped_source",
            f"{_NETWORK}.metadata.last_scraped_source",
            "Where the vendor last read the profile.",
        ),
        as_delivered("open_to_cards", f"{_NETWORK}.open_to_cards", "What the person is open to"),
        text("joined_date", f"{_NETWORK}.joined_date", "When the person joined, as written."),
        as_delivered("verifications", f"{_NETWORK}.verifications", "Verifications"),
        text(
            "dev_platform_url",
            f"{_HANDLES}.dev_platform_identifier.profile_url",
            "URL of the developer platform's profile.",
        ),
        text("twitter_slug", f"{_HANDLES}.twitter_identifier.slug", "Handle; may be empty."),
        Column(
            "years_of_experience",
            "VARCHAR",
            "Experience in words.",
            (f"data.experience.{_YEARS}", f"data.{_YEARS}"),
        ),
        Column(
            "years_of_experience_raw",
            "DOUBLE",
            "Experience in years.",
            (f"data.experience.{_YEARS}_raw", f"data.{_YEARS}_raw"),
        ),
        flag("recently_changed_jobs", "data.recently_changed_jobs", "Whether jobs changed lately."),
        text(
            "authenticity_verdict",
            "data.assessment.authenticity.verdict",
            "The vendor's verdict on whether the profile is genuine.",
        ),
        count("authenticity_tier", "data.assessment.authenticity.tier", "Tier of that verdict."),
        as_delivered("social_posts", "data.social_posts", "Posts"),
        as_delivered("contact", "data.contact", "Contact data of older versions of enrich"),
        Column(
            "record_updated_at",
            "TIMESTAMPTZ",
            "When the vendor last updated the record (UTC).",
            ("data.updated_at", "data.metadata.updated_at"),
        ),
        text("original_identifier", "original_identifier", "The identifier as echoed."),
        count("internal_id", "internal_id", "The id on the outside of the vendor's line."),
        *LINEAGE,
    ),
)
