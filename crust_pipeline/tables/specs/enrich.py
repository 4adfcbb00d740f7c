"""The tables of operation `enrich`: a person's full profile, one table per list in the record.

Every leaf that the vendor's documents and users name is a column. Groups whose inner shape nobody
knows are JSON columns, as delivered.
"""

from typing import Final

from crust_pipeline.tables.spec import Column, Source, Table
from crust_pipeline.tables.specs.common import LINEAGE, PROFILE_KEY, location, text

_PERSON_ID: Final = Column(
    "crustdata_person_id",
    "BIGINT",
    "Crustdata's id of the person.",
    ("data.crustdata_person_id", "internal_id"),
)
_WHO: Final = (PROFILE_KEY, _PERSON_ID)
_POSITION: Final = Column("position", "INTEGER", "Place in the delivered list, from 1.", (".#",))

_BASIC: Final = "data.basic_profile"
_NETWORK: Final = "data.professional_network"
_HANDLES: Final = "data.social_handles"

PEOPLE: Final = Table(
    name="people",
    one_row_per="person enriched",
    sources=(Source("enrich"),),
    order=("profile_key", "submission_id", "source_line"),
    columns=(
        *_WHO,
        text("name", f"{_BASIC}.name", "Full name."),
        text("first_name", f"{_BASIC}.first_name", "First name; often null while name is set."),
        text("last_name", f"{_BASIC}.last_name", "Last name; often null while name is set."),
        text("headline", f"{_BASIC}.headline", "Headline of the profile."),
        text("current_title", f"{_BASIC}.current_title", "Title of the main current role."),
        text("summary", f"{_BASIC}.summary", "The person's own summary; empty when not given."),
        *location("location", f"{_BASIC}.location", "Where the person lives"),
        Column(
            "connections",
            "BIGINT",
            "Connections in the professional network.",
            (f"{_NETWORK}.connections",),
        ),
        Column(
            "followers",
            "BIGINT",
            "Followers in the professional network.",
            (f"{_NETWORK}.followers",),
        ),
        text(
            "profile_url",
            f"{_HANDLES}.professional_network_identifier.profile_url",
            "The record's own profile URL.",
        ),
        Column(
            "identity_mismatch",
            "BOOLEAN",
            "Whether the record's own profile URL is another person's than the one asked for; null when either has no profile URL.",
        ),
        Column("languages", "JSON", "Languages, as delivered.", (f"{_BASIC}.languages",)),
        text(
            "professional_network_name",
            f"{_BASIC}.professional_network_name",
            "Name as shown in the professional network.",
        ),
        text(
            "profile_picture_permalink",
            f"{_BASIC}.profile_picture_permalink",
            "Link to the picture.",
        ),
        text(
            "normalized_title",
            f"{_BASIC}.normalized_title.matched_title",
            "The vendor's standard title for the current title.",
        ),
        text(
            "normalized_department",
            f"{_BASIC}.normalized_title.department",
            "Department of the standard title.",
        ),
        text(
            "normalized_sub_department",
            f"{_BASIC}.normalized_title.sub_department",
            "Sub-department of the standard title.",
        ),
        Column(
            "normalized_title_similarity",
            "DOUBLE",
            "How close the standard title is, 0 to 1.",
            (f"{_BASIC}.normalized_title.similarity",),
        ),
        Column(
            "normalized_title_confident",
            "BOOLEAN",
            "Whether the vendor trusts the standard title.",
            (f"{_BASIC}.normalized_title.confident",),
        ),
        Column(
            "basic_profile_updated_at",
            "TIMESTAMPTZ",
            "When the basic profile was last updated (UTC).",
            (f"{_BASIC}.last_updated",),
        ),
        text("network_name", f"{_NETWORK}.name", "Name in the professional network's own record."),
        text(
            "network_headline",
            f"{_NETWORK}.headline",
            "Headline in the professional network's own record.",
        ),
        text(
            "network_current_title",
            f"{_NETWORK}.current_title",
            "Current title in the professional network's own record.",
        ),
        text(
            "network_summary",
            f"{_NETWORK}.summary",
            "Summary in the professional network's own record.",
        ),
        text("pronoun", f"{_NETWORK}.pronoun", "Pronoun as given."),
        text(
            "network_profile_picture_permalink",
            f"{_NETWORK}.profile_picture_permalink",
            "Link to the professional network's picture.",
        ),
        *location(
            "network_location",
            f"{_NETWORK}.location",
            "Location in the professional network's own record",
        ),
        text(
            "last_scraped_source",
            f"{_NETWORK}.metadata.last_scraped_source",
            "Where the vendor last read the profile.",
        ),
        Column(
            "open_to_cards",
            "JSON",
            "What the person says to be open to, as delivered.",
            (f"{_NETWORK}.open_to_cards",),
        ),
        text(
            "joined_date",
            f"{_NETWORK}.joined_date",
            "When the person joined the professional network, as written.",
        ),
        Column(
            "verifications", "JSON", "Verifications, as delivered.", (f"{_NETWORK}.verifications",)
        ),
        text(
            "dev_platform_url",
            f"{_HANDLES}.dev_platform_identifier.profile_url",
            "URL of the developer platform's profile.",
        ),
        text(
            "twitter_slug",
            f"{_HANDLES}.twitter_identifier.slug",
            "Handle; empty when there is none.",
        ),
        Column(
            "years_of_experience",
            "VARCHAR",
            "Experience in words.",
            ("data.experience.years_of_experience", "data.years_of_experience"),
        ),
        Column(
            "years_of_experience_raw",
            "DOUBLE",
            "Experience in years.",
            ("data.experience.years_of_experience_raw", "data.years_of_experience_raw"),
        ),
        Column(
            "recently_changed_jobs",
            "BOOLEAN",
            "Whether the person changed jobs lately.",
            ("data.recently_changed_jobs",),
        ),
        text(
            "authenticity_verdict",
            "data.assessment.authenticity.verdict",
            "The vendor's verdict on whether the profile is genuine.",
        ),
        Column(
            "authenticity_tier",
            "BIGINT",
            "Tier of that verdict.",
            ("data.assessment.authenticity.tier",),
        ),
        Column("social_posts", "JSON", "Posts, as delivered.", ("data.social_posts",)),
        Column(
            "contact",
            "JSON",
            "Contact data that older versions of enrich deliver, as delivered.",
            ("data.contact",),
        ),
        Column(
            "record_updated_at",
            "TIMESTAMPTZ",
            "When the vendor last updated the record (UTC).",
            ("data.updated_at", "data.metadata.updated_at"),
        ),
        text(
            "original_identifier", "original_identifier", "The identifier as the vendor echoed it."
        ),
        Column(
            "internal_id", "BIGINT", "The id on the outside of the vendor's line.", ("internal_id",)
        ),
        *LINEAGE,
    ),
)

_ROLES: Final = "data.experience.employment_details"

EMPLOYMENT: Final = Table(
    name="employment",
    one_row_per="role of a person, present or past",
    sources=(
        Source("enrich", f"{_ROLES}.current[]", {"is_current": "true"}),
        Source("enrich", f"{_ROLES}.past[]", {"is_current": "false"}),
    ),
    order=("profile_key", "submission_id", "source_line", "is_current DESC", "position"),
    columns=(
        *_WHO,
        Column(
            "is_current",
            "BOOLEAN",
            "Whether the vendor lists the role as current; several current roles are normal.",
        ),
        _POSITION,
        text("company_name", ".name", "Name of the employer."),
        text("title", ".title", "Title of the role."),
        Column(
            "crustdata_company_id",
            "BIGINT",
            "Crustdata's id of the employer.",
            (".crustdata_company_id",),
        ),
        Column(
            "start_date",
            "DATE",
            "First day as delivered (mostly only month or year are exact).",
            (".start_date",),
        ),
        Column(
            "end_date", "DATE", "Last day as delivered; null for a current role.", (".end_date",)
        ),
        Column(
            "is_default",
            "BOOLEAN",
            "Marks the main current role, which need not be first or latest.",
            (".is_default",),
        ),
        text("seniority_level", ".seniority_level", "Seniority, one of the vendor's ten levels."),
        text(
            "function_category",
            ".function_category",
            "Function such as Engineering; empty when unknown.",
        ),
        text("employment_type", ".employment_type", "Such as Full-time; empty when unknown."),
        text("description", ".description", "The person's own description of the role."),
        *location("location", ".location", "Where the role is"),
        text("years_at_company", ".years_at_company", "Time at the employer, in words."),
        Column(
            "years_at_company_raw",
            "DOUBLE",
            "Time at the employer, in years.",
            (".years_at_company_raw",),
        ),
        Column(
            "position_id", "BIGINT", "The professional network's id of the role.", (".position_id",)
        ),
        text(
            "professional_network_id",
            ".professional_network_id",
            "The professional network's id of the employer (digits).",
        ),
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
        text(
            "company_website_domain",
            ".company_website_domain",
            "The employer's domain; JSON text if the vendor delivers a list.",
        ),
        text("company_website", ".company_website", "The employer's website."),
        Column(
            "business_email_verified",
            "BOOLEAN",
            "Whether a business e-mail at this employer is verified.",
            (".business_email_verified",),
        ),
        Column(
            "company_headcount_latest",
            "BIGINT",
            "The employer's headcount.",
            (".company_headcount_latest",),
        ),
        text(
            "company_headcount_range",
            ".company_headcount_range",
            "The employer's headcount as a range.",
        ),
        text(
            "company_headquarters_country",
            ".company_headquarters_country",
            "Country of the employer's headquarters.",
        ),
        text("company_hq_location", ".company_hq_location", "The employer's headquarters."),
        Column(
            "company_hq_location_address_components",
            "JSON",
            "Parts of the headquarters' address, as delivered.",
            (".company_hq_location_address_components",),
        ),
        Column(
            "company_industries",
            "JSON",
            "The employer's industries, as delivered.",
            (".company_industries",),
        ),
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
    sources=(Source("enrich", "data.education.schools[]"),),
    order=("profile_key", "submission_id", "source_line", "position"),
    columns=(
        *_WHO,
        _POSITION,
        text("school", ".school", "Name of the school."),
        text("degree", ".degree", "Degree as written."),
        text("field_of_study", ".field_of_study", "Field of study as written."),
        Column("start_year", "INTEGER", "First year.", (".start_year",)),
        Column("end_year", "INTEGER", "Last year.", (".end_year",)),
        text("activities_and_societies", ".activities_and_societies", "Activities as written."),
        text("description", ".description", "The person's own description."),
        *location("location", ".location", "Where the school is"),
        text("institute_logo_url", ".institute_logo_url", "Link to the school's logo."),
        text(
            "institute_logo_permalink",
            ".institute_logo_permalink",
            "Lasting link to the school's logo.",
        ),
        text(
            "professional_network_id",
            ".professional_network_id",
            "The professional network's id of the school.",
        ),
        *LINEAGE,
    ),
)

SKILLS: Final = Table(
    name="skills",
    one_row_per="skill of a person",
    sources=(Source("enrich", "data.skills.professional_network_skills[]"),),
    order=("profile_key", "submission_id", "source_line", "position"),
    columns=(
        *_WHO,
        _POSITION,
        text("skill", ".", "The skill as delivered; may be blank."),
        *LINEAGE,
    ),
)

CERTIFICATIONS: Final = Table(
    name="certifications",
    one_row_per="certification of a person",
    sources=(Source("enrich", "data.certifications[]"),),
    order=("profile_key", "submission_id", "source_line", "position"),
    columns=(
        *_WHO,
        _POSITION,
        text("name", ".name", "Name of the certification."),
        text("issuing_organization", ".issuing_organization", "Who issued it."),
        Column("issue_date", "DATE", "When it was issued.", (".issue_date",)),
        Column("expiration_date", "DATE", "When it expires.", (".expiration_date",)),
        text("credential_id", ".credential_id", "Id of the credential."),
        text("credential_url", ".credential_url", "Link to the credential."),
        *LINEAGE,
    ),
)

HONORS: Final = Table(
    name="honors",
    one_row_per="honor of a person",
    sources=(Source("enrich", "data.honors[]"),),
    order=("profile_key", "submission_id", "source_line", "position"),
    columns=(
        *_WHO,
        _POSITION,
        text("title", ".title", "Title of the honor."),
        Column(
            "honor",
            "JSON",
            "The whole element as delivered; its other keys are not documented.",
            (".",),
        ),
        *LINEAGE,
    ),
)

_DEV: Final = "data.dev_platform_profiles[]"
_REPOS: Final = f"{_DEV}.repos[]"

DEV_PLATFORM_PROFILES: Final = Table(
    name="dev_platform_profiles",
    one_row_per="developer platform profile of a person",
    sources=(Source("enrich", _DEV),),
    order=("profile_key", "submission_id", "source_line", "position"),
    columns=(
        *_WHO,
        _POSITION,
        text("profile_url", ".profile_url", "URL of the profile."),
        text("name", ".name", "Name on the platform."),
        text("bio", ".bio", "Short text about the person."),
        text("email", ".email", "Public e-mail address on the platform."),
        text("company_text", ".company_text", "Employer as written."),
        text("website_url", ".website_url", "The person's website."),
        text("location_raw", ".location.raw", "Location as written."),
        Column("is_hireable", "BOOLEAN", "Whether the person asks to be hired.", (".is_hireable",)),
        Column("followers", "BIGINT", "Followers.", (".followers",)),
        Column("following", "BIGINT", "People followed.", (".following",)),
        Column(
            "public_repo_count",
            "BIGINT",
            "Public repositories, as the platform counts.",
            (".public_repo_count",),
        ),
        Column("total_repos", "BIGINT", "Repositories, as the vendor counts.", (".total_repos",)),
        Column("total_stars", "BIGINT", "Stars over all repositories.", (".total_stars",)),
        Column("max_stars", "BIGINT", "Stars of the repository with most.", (".max_stars",)),
        Column("median_stars", "DOUBLE", "Median of stars per repository.", (".median_stars",)),
        Column("all_languages", "VARCHAR[]", "Programming languages.", (".all_languages",)),
        Column("all_topics", "VARCHAR[]", "Topics.", (".all_topics",)),
        Column(
            "profile_created_at",
            "TIMESTAMPTZ",
            "When the profile was made (UTC).",
            (".metadata.created_at",),
        ),
        *LINEAGE,
    ),
)

DEV_PLATFORM_REPOS: Final = Table(
    name="dev_platform_repos",
    one_row_per="repository of a developer platform profile",
    sources=(Source("enrich", _REPOS),),
    order=("profile_key", "submission_id", "source_line", "profile_position", "position"),
    columns=(
        *_WHO,
        Column(
            "profile_position",
            "INTEGER",
            "Place of the profile in its list, from 1; joins dev_platform_profiles.position.",
            (f"{_DEV}.#",),
        ),
        _POSITION,
        text(
            "dev_platform_url",
            f"{_DEV}.profile_url",
            "URL of the profile that holds the repository.",
        ),
        text("full_name", ".full_name", "Owner and name."),
        text("owner", ".owner", "Owner."),
        Column("is_fork", "BOOLEAN", "Whether it is a fork.", (".is_fork",)),
        text("description", ".description", "Description."),
        text("primary_language", ".primary_language", "Main programming language."),
        Column("topics", "VARCHAR[]", "Topics.", (".topics",)),
        text("license_key", ".license_key", "Key of the licence."),
        Column("archived", "BOOLEAN", "Whether it is archived.", (".archived",)),
        Column("disabled", "BOOLEAN", "Whether it is disabled.", (".disabled",)),
        Column("is_template", "BOOLEAN", "Whether it is a template.", (".is_template",)),
        Column("has_issues", "BOOLEAN", "Whether issues are on.", (".has_issues",)),
        Column("has_projects", "BOOLEAN", "Whether projects are on.", (".has_projects",)),
        Column("has_wiki", "BOOLEAN", "Whether the wiki is on.", (".has_wiki",)),
        Column("stars", "BIGINT", "Stars.", (".stars",)),
        Column("forks_count", "BIGINT", "Forks.", (".forks_count",)),
        Column("open_issues_count", "BIGINT", "Open issues.", (".open_issues_count",)),
        Column("size_kb", "BIGINT", "Size, in the platform's kilobytes.", (".size",)),
        Column(
            "github_created_at", "TIMESTAMPTZ", "When it was made (UTC).", (".github_created_at",)
        ),
        Column(
            "github_updated_at",
            "TIMESTAMPTZ",
            "When it was last updated (UTC).",
            (".github_updated_at",),
        ),
        Column(
            "github_pushed_at",
            "TIMESTAMPTZ",
            "When it was last pushed to (UTC).",
            (".github_pushed_at",),
        ),
        *LINEAGE,
    ),
)

ENRICH_TABLES: Final = (
    PEOPLE,
    EMPLOYMENT,
    EDUCATION,
    SKILLS,
    CERTIFICATIONS,
    HONORS,
    DEV_PLATFORM_PROFILES,
    DEV_PLATFORM_REPOS,
)
