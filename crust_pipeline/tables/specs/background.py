"""The tables of a person's background, from operation `enrich`: roles, schools, skills."""

from typing import Final

from crust_pipeline.tables.spec import Column, Source, Table
from crust_pipeline.tables.specs.common import (
    LINEAGE,
    POSITION,
    PROFILE_KEY,
    amount,
    as_delivered,
    count,
    day,
    flag,
    location,
    text,
)
from crust_pipeline.tables.specs.people import PERSON_ID
from crust_pipeline.vendors.crustdata.lines import PROFILE

_WHO: Final = (PROFILE_KEY, PERSON_ID)
_ORDER: Final = ("profile_key", "submission_id", "source_line", "position")
_ROLES: Final = "data.experience.employment_details"

EMPLOYMENT: Final = Table(
    name="employment",
    one_row_per="role of a person, present or past",
    sources=(
        Source(PROFILE, f"{_ROLES}.current[]", {"is_current": "true"}),
        Source(PROFILE, f"{_ROLES}.past[]", {"is_current": "false"}),
    ),
    order=("profile_key", "submission_id", "source_line", "is_current DESC", "position"),
    columns=(
        *_WHO,
        Column("is_current", "BOOLEAN", "Listed as current; several current roles are normal."),
        POSITION,
        text("company_name", ".name", "Name of the employer."),
        text("title", ".title", "Title of the role."),
        count("crustdata_company_id", ".crustdata_company_id", "Crustdata's id of the employer."),
        day("start_date", ".start_date", "First day; often only month or year are exact."),
        day("end_date", ".end_date", "Last day; null for a current role."),
        flag("is_default", ".is_default", "The main current role; need not be first or latest."),
        text("seniority_level", ".seniority_level", "Seniority, one of the vendor's ten levels."),
        text("function_category", ".function_category", "Such as Engineering; may be empty."),
        text("employment_type", ".employment_type", "Such as Full-time; may be empty."),
        text("description", ".description", "The person's own description of the role."),
        *location("location", ".location", "Where the role is"),
        text("years_at_company", ".years_at_company", "Time at the employer, in words."),
        amount("years_at_company_raw", ".years_at_company_raw", "Time at the employer, in years."),
        count("position_id", ".position_id", "The professional network's id of the role."),
        text("professional_network_id", ".professional_network_id", "Its id of the employer."),
        Column(
            "company_profile_url",
            "VARCHAR",
            "The employer's page in the professional network.",
            (".company_professional_network_profile_url", ".company_professional_network_url"),
        ),
        text(
            "company_profile_picture_permalink",
            ".company_profile_picture_permalink",
            "Link to the employer's logo.",
        ),
        text("company_website_domain", ".company_website_domain", "Domain; JSON text if a list."),
        text("company_website", ".company_website", "The employer's website."),
        flag("business_email_verified", ".business_email_verified", "Business e-mail verified."),
        count("company_headcount_latest", ".company_headcount_latest", "Headcount."),
        text("company_headcount_range", ".company_headcount_range", "Headcount as a range."),
        text(
            "company_headquarters_country",
            ".company_headquarters_country",
            "Country of the employer's headquarters.",
        ),
        text("company_hq_location", ".company_hq_location", "The employer's headquarters."),
        as_delivered(
            "company_hq_location_address_components",
            ".company_hq_location_address_components",
            "Parts of the headquarters' address",
        ),
        as_delivered("company_industries", ".company_industries", "The employer's industries"),
        text(
            "company_professional_network_industry",
            ".company_professional_network_industry",
            "The employer's industry in the professional network.",
        ),
        text("company_status", ".company_status", "The employer's status."),
        text("company_type", ".company_type", "The employer's type."),
        *LINEAGE,
    ),
)

EDUCATION: Final = Table(
    name="education",
    one_row_per="school of a person",
    sources=(Source(PROFILE, "data.education.schools[]"),),
    order=_ORDER,
    columns=(
        *_WHO,
        POSITION,
        text("school", ".school", "Name of the school."),
        text("degree", ".degree", "Degree as written."),
        text("field_of_study", ".field_of_study", "Field of study as written."),
        Column("start_year", "INTEGER", "First year.", (".start_year",)),
        Column("end_year", "INTEGER", "Last year.", (".end_year",)),
        text("activities_and_societies", ".activities_and_societies", "Activities as written."),
        text("description", ".description", "The person's own description."),
        *location("location", ".location", "Where the school is"),
        text("institute_logo_url", ".institute_logo_url", "Link to the school's logo."),
        text("institute_logo_permalink", ".institute_logo_permalink", "Lasting link to it."),
        text("professional_network_id", ".professional_network_id", "The network's id of it."),
        *LINEAGE,
    ),
)

SKILLS: Final = Table(
    name="skills",
    one_row_per="skill of a person",
    sources=(Source(PROFILE, "data.skills.professional_network_skills[]"),),
    order=_ORDER,
    columns=(
        *_WHO,
        POSITION,
        text("skill", ".", "The skill as delivered; may be blank."),
        *LINEAGE,
    ),
)

CERTIFICATIONS: Final = Table(
    name="certifications",
    one_row_per="certification of a person",
    sources=(Source(PROFILE, "data.certifications[]"),),
    order=_ORDER,
    columns=(
        *_WHO,
        POSITION,
        text("name", ".name", "Name of the certification."),
        text("issuing_organization", ".issuing_organization", "Who issued it."),
        day("issue_date", ".issue_date", "When it was issued."),
        day("expiration_date", ".expiration_date", "When it expires."),
        text("credential_id", ".credential_id", "Id of the credential."),
        text("credential_url", ".credential_url", "Link to the credential."),
        *LINEAGE,
    ),
)

HONORS: Final = Table(
    name="honors",
    one_row_per="honor of a person",
    sources=(Source(PROFILE, "data.honors[]"),),
    order=_ORDER,
    columns=(
        *_WHO,
        POSITION,
        text("title", ".title", "Title of the honor."),
        as_delivered("honor", ".", "The whole element, whose other keys nobody has documented"),
        *LINEAGE,
    ),
)
