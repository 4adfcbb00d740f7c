"""The table of operation `identify`: who an e-mail address or a profile URL belongs to."""

from typing import Final

from crust_pipeline.tables.spec import Column, Source, Table
from crust_pipeline.tables.specs.common import LINEAGE, PROFILE_KEY, location, text

_MATCH: Final = "matches[]"

IDENTITIES: Final = Table(
    name="identities",
    one_row_per="match of an identifier answered by identify; one without a person when nobody matched",
    sources=(Source("identify", _MATCH, also_empty=True),),
    order=("profile_key", "submission_id", "source_line", "position"),
    columns=(
        PROFILE_KEY,
        text("matched_on", "matched_on", "The identifier as the vendor echoed it."),
        text("match_type", "match_type", "Kind of identifier that matched."),
        # Older answers have no match_status; whoever was found was matched.
        Column(
            "match_status",
            "VARCHAR",
            "matched, not_found, or redacted (the person asked to be removed).",
            ("match_status",),
            "coalesce({value}, CASE WHEN {position} IS NULL THEN 'not_found' ELSE 'matched' END)",
        ),
        Column(
            "position",
            "INTEGER",
            "Place among the matches of this identifier, from 1; null without a match.",
            (".#",),
        ),
        Column(
            "is_best",
            "BOOLEAN",
            "Marks the match with the highest confidence of this identifier.",
            (".confidence_score",),
            "{position} IS NOT NULL AND"
            " row_number() OVER (PARTITION BY {line} ORDER BY {value} DESC NULLS LAST, {position}) = 1",
        ),
        Column(
            "confidence_score",
            "DOUBLE",
            "The vendor's confidence, 0 to 1: a claim, not proof.",
            (".confidence_score",),
        ),
        Column(
            "crustdata_person_id",
            "BIGINT",
            "Crustdata's id of the person.",
            (".person_data.crustdata_person_id",),
        ),
        text("name", ".person_data.basic_profile.name", "Full name."),
        text("headline", ".person_data.basic_profile.headline", "Headline of the profile."),
        text(
            "current_title",
            ".person_data.basic_profile.current_title",
            "Title of the main current role.",
        ),
        text(
            "profile_url",
            ".person_data.social_handles.professional_network_identifier.profile_url",
            "The person's profile URL.",
        ),
        Column(
            "identity_mismatch",
            "BOOLEAN",
            "Whether that profile URL is another person's than the one asked for; null when either has no profile URL.",
        ),
        *location("location", ".person_data.basic_profile.location", "Where the person lives"),
        Column(
            "record_updated_at",
            "TIMESTAMPTZ",
            "When the vendor last updated the record (UTC).",
            (".person_data.updated_at",),
        ),
        *LINEAGE,
    ),
)

IDENTIFY_TABLES: Final = (IDENTITIES,)
