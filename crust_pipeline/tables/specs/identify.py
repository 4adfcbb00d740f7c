"""The table of operation `identify`: who an e-mail address or a profile URL belongs to."""

from typing import Final

from crust_pipeline.tables.spec import Column, Source, Table
from crust_pipeline.tables.specs.common import (
    IDENTITY_MISMATCH,
    LINEAGE,
    PROFILE_KEY,
    amount,
    count,
    location,
    moment,
    text,
)
from crust_pipeline.vendors.crustdata.lines import IDENTITY

_PERSON: Final = ".person_data"
_BASIC: Final = f"{_PERSON}.basic_profile"

IDENTITIES: Final = Table(
    name="identities",
    one_row_per="match of an identifier that identify answered; one of nulls if nobody matched",
    sources=(Source(IDENTITY, "matches[]", also_empty=True),),
    order=("profile_key", "submission_id", "source_line", "position"),
    columns=(
        PROFILE_KEY,
        text("matched_on", "matched_on", "The identifier as echoed."),
        text("match_type", "match_type", "Kind of identifier that matched."),
        Column(
            "match_status",
            "VARCHAR",
            "matched, not_found, or redacted (the person asked to be removed).",
            ("match_status",),
            # Older answers have no match_status: every person in the list was matched.
            "coalesce({value}, CASE WHEN {position} IS NULL THEN 'not_found' ELSE 'matched' END)",
        ),
        Column("position", "INTEGER", "Place among the matches, from 1; null without.", (".#",)),
        Column(
            "is_best",
            "BOOLEAN",
            "Marks the match with the highest confidence of this identifier.",
            (".confidence_score",),
            "{position} IS NOT NULL AND row_number() OVER (PARTITION BY {line} "
            "ORDER BY TRY_CAST({value} AS DOUBLE) DESC NULLS LAST, {position} NULLS LAST) = 1",
        ),
        amount("confidence_score", ".confidence_score", "0 to 1: the vendor's claim, not proof."),
        count("crustdata_person_id", f"{_PERSON}.crustdata_person_id", "Crustdata's person id."),
        text("name", f"{_BASIC}.name", "Full name."),
        text("headline", f"{_BASIC}.headline", "Headline of the profile."),
        text("current_title", f"{_BASIC}.current_title", "Title of the main current role."),
        text(
            "profile_url",
            f"{_PERSON}.social_handles.professional_network_identifier.profile_url",
            "The person's profile URL.",
        ),
        IDENTITY_MISMATCH,
        *location("location", f"{_BASIC}.location", "Where the person lives"),
        moment("record_updated_at", f"{_PERSON}.updated_at", "Last update by the vendor"),
        *LINEAGE,
    ),
)
