"""Person records: whose, and which groups of them. `groups.py` invents the content."""

from collections.abc import Iterable

from crust_pipeline.sandbox.groups import GROUPS, Json, Persona
from crust_pipeline.sandbox.people import (
    Person,
    Standing,
    is_email,
    match,
    person_of_slug,
    slug_of,
)


def person(slug_or_email: str) -> Json | None:
    """Return the whole record of a person by slug, profile URL or e-mail; None for nobody.

    Tests compare tables with this: a file holds these values, cut to the fields asked for.
    """
    if is_email(slug_or_email):
        found = match(slug_or_email, personal_emails=True)
        someone = found.person if found else None
    else:
        slug = slug_of(slug_or_email) if "/" in slug_or_email else slug_or_email
        someone = person_of_slug(slug) if slug else None
    return record(someone) if someone is not None and someone.found else None


def record(someone: Person, groups: Iterable[str] | None = None) -> Json:
    """Return the record of a person, whole or only some groups of it; the id is always there.

    Args:
        someone: A person who is found.
        groups: Names of top-level groups; None: all.
    """
    if someone.standing is Standing.SHELL:
        return {"crustdata_person_id": someone.person_id, "basic_profile": {}}
    whole = {"crustdata_person_id": someone.person_id}
    base = Persona(someone)
    for group in GROUPS if groups is None else groups:
        if group in GROUPS and (value := GROUPS[group](base)) is not None:
            whole[group] = value
    return whole


def has_group(someone: Person, group: str) -> bool:
    """Tell whether the record has values in a group that is billed apart; cheap, for settling."""
    if someone.standing is not Standing.KNOWN:
        return False
    return bool(GROUPS[group](Persona(someone)))
