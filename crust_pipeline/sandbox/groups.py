"""Invents the groups of a person record, with the quirks of the real ones.

Nulls, `""` and `[]` mixed, groups that are missing, several current jobs, both date forms. One
function per group, each with draws of its own, so that a file costs only what was asked for.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from crust_pipeline.sandbox.companies import FIRST_ID, FIRST_NETWORK_ID
from crust_pipeline.sandbox.people import Dice, Person
from crust_pipeline.sandbox.words import (
    CODE_LANGUAGES,
    COMPANIES,
    DEGREES,
    EMPLOYMENT_TYPES,
    FIRST_NAMES,
    LANGUAGES,
    LAST_NAMES,
    PLACES,
    SCHOOLS,
    SENIORITIES,
    SKILLS,
    SUBJECTS,
    TEXTS,
    TITLES,
    TOPICS,
)

Json = dict[str, Any]

CURRENT_YEAR = 2026  # people do not change with the clock: the same person always, everywhere


def profile_url(slug: str) -> str:
    """Return the canonical URL the vendor keeps for a slug (no trailing slash)."""
    return f"https://www.linkedin.com/in/{quote(slug)}"


class Persona:
    """What the groups of one record have in common."""

    __slots__ = ("company", "full", "headline", "key", "name", "person", "place", "title")

    def __init__(self, someone: Person) -> None:
        """Draw name, place, title and company."""
        dice = Dice(f"base:{someone.slug}", draws=12)
        self.person = someone
        self.key = someone.slug
        self.full = someone.slug == "sam-sandbox"  # the example person has every group
        self.name = self._name(dice)
        self.place = PLACES[0] if self.full else dice.pick(PLACES)
        self.title = TITLES[0] if self.full else dice.pick(TITLES)
        self.company = COMPANIES[0] if self.full else dice.pick(COMPANIES)
        self.headline = f"{self.title[0]} at {self.company[0]}"

    def _name(self, dice: Dice) -> str:
        words = [w for w in self.key.split("-") if w.isalpha()]
        if len(words) < 2:
            return f"{dice.pick(FIRST_NAMES)} {dice.pick(LAST_NAMES)}"
        name = " ".join(words[:3]).title()
        return name + dice.pick(("",) * 17 + (", PhD", " 🚀", " (she/her)"))

    def dice(self, group: str, draws: int) -> Dice:
        """Return random draws for one group, independent of the other groups."""
        return Dice(f"{group}:{self.key}", draws=draws)


def _location(place: tuple[str, ...], *, full: str | None = None) -> Json:
    raw, city, state, country, continent = place
    location = {
        "raw": raw,
        "city": city,
        "state": state,
        "country": country,
        "continent": continent,
    }
    return location if full is None else location | {"full_location": full}


def _moment(dice: Dice, year: int) -> str:
    # Two captures of the live API disagree on the offset, so both forms occur.
    offset = "" if dice.chance(0.25) else "+00:00"
    return f"{year:04d}-{1 + dice.below(12):02d}-01T00:00:00{offset}"


def _updated_at(who: Persona) -> str:
    dice = who.dice("updated_at", 8)
    day, hour = 1 + dice.below(28), dice.below(24)
    return f"2026-{1 + dice.below(10):02d}-{day:02d}T{hour:02d}:{dice.below(60):02d}:32+00:00"


def _basic_profile(who: Persona) -> Json:
    dice = who.dice("basic_profile", 32)
    parts = who.name.split(" ")
    split = not who.full and dice.chance(0.4)
    profile: Json = {
        "name": who.name,
        "first_name": parts[0] if split else None,
        "last_name": parts[-1] if split else None,
        "headline": who.headline if who.full or dice.chance(0.95) else "",
        "current_title": who.title[0],
        "summary": "" if who.full else dice.pick(TEXTS),
        "languages": []
        if who.full
        else [dice.pick(LANGUAGES) for _ in range(dice.pick((0, 0, 1, 2)))],
        "professional_network_name": who.name,
        "profile_picture_permalink": "https://pictures.example/p.jpg" if dice.chance(0.9) else None,
        "location": _location(who.place),
    }
    if who.full or (who.title[1] and dice.chance(0.9)):
        profile["normalized_title"] = {
            "matched_title": who.title[0],
            "department": who.title[1],
            "sub_department": who.title[2],
            "similarity": round(0.5 + dice.below(50) / 100, 2),
            "confident": True if who.full else dice.chance(0.8),
        }
    if not who.full and dice.chance(0.05):
        profile["location"] = _location(who.place, full=who.place[0])
        profile["last_updated"] = _updated_at(who)
    return profile


def _professional_network(who: Persona) -> Json | None:
    dice = who.dice("professional_network", 16)
    if not who.full and dice.chance(0.05):
        return None
    network: Json = {
        "name": who.name,
        "headline": who.headline,
        "current_title": who.title[0],
        "summary": "" if who.full else dice.pick(TEXTS),
        "pronoun": "" if who.full else dice.pick(("", "", "", "she/her", "they/them")),
        "connections": dice.below(30000),
        "followers": dice.below(65536),
        "open_to_cards": [] if who.full else dice.pick(([], [], [], ["hiring"])),
        "profile_picture_permalink": "https://pictures.example/p.jpg",
        "metadata": {"last_scraped_source": None if who.full or dice.chance(0.9) else "search"},
        "location": _location(who.place),
    }
    if not who.full and dice.chance(0.05):
        network["location"] = _location(who.place, full=who.place[0])
        network["joined_date"] = f"{2004 + dice.below(20)}-05-01"
        network["verifications"] = ["workplace"]
    return network


def _social_handles(who: Persona) -> Json:
    dice = who.dice("social_handles", 4)
    handles: Json = {"professional_network_identifier": {"profile_url": profile_url(who.key)}}
    if who.full or dice.chance(0.95):
        developer = f"https://github.com/{quote(who.key)}" if _develops(who) else None
        handles["dev_platform_identifier"] = {"profile_url": developer}
        slug = "" if who.full or dice.chance(0.7) else f"x{who.person.person_id}"
        handles["twitter_identifier"] = {"slug": slug}
    return handles


def _years(count: int) -> str:
    for limit, bucket in ((1, "Less than 1 year"), (3, "1 to 2 years"), (6, "3 to 5 years")):
        if count < limit:
            return bucket
    return "6 to 10 years" if count <= 10 else "More than 10 years"


def _role(
    who: Persona, dice: Dice, *, first_year: int, last_year: int | None, main: bool = False
) -> Json:
    company = COMPANIES.index(who.company) if main else dice.below(len(COMPANIES))
    name, domain = COMPANIES[company]
    title = who.title if main else dice.pick(TITLES)
    number = FIRST_NETWORK_ID + company
    years = (last_year or CURRENT_YEAR) - first_year
    role: Json = {
        "name": name,
        "title": title[0],
        "start_date": _moment(dice, first_year) if who.full or dice.chance(0.95) else None,
        "end_date": _moment(dice, last_year) if last_year else None,
        "is_default": main,
        "employment_type": dice.pick(EMPLOYMENT_TYPES),
        "description": "" if who.full else dice.pick(TEXTS),
        "seniority_level": dice.pick(SENIORITIES),
        "function_category": title[3],
        "position_id": 1_000_000_001 + (dice.below(65536) << 12),
        "professional_network_id": str(number),
        "crustdata_company_id": FIRST_ID + company,
        "company_professional_network_profile_url": f"https://linkedin.com/company/{number}",
        "company_profile_picture_permalink": "https://pictures.example/c.jpg"
        if dice.chance(0.6)
        else None,
        "company_website_domain": domain if dice.chance(0.9) else "",
        "location": {"raw": dice.pick(PLACES)[0]},
        "years_at_company": _years(years),
        "years_at_company_raw": float(years),
    }
    if not who.full and dice.chance(0.04):
        role |= _role_extras(dice, domain)
    return role


def _role_extras(dice: Dice, domain: str) -> Json:
    # Only in the vendor's generated path list, in no capture of enrich: so they are rare here.
    place = dice.pick(PLACES)
    return {
        "company_website": f"https://{domain}/",
        "business_email_verified": dice.chance(0.5),
        "company_headcount_latest": dice.below(20000),
        "company_headcount_range": dice.pick(("11-50", "51-200", "1001-5000")),
        "company_headquarters_country": place[3],
        "company_hq_location": place[0],
        "company_hq_location_address_components": [p for p in place[1:4] if p],
        "company_industries": ["Software Development", "Energy"],
        "company_professional_network_industry": "Software Development",
        "company_status": "active",
        "company_type": "Privately Held",
    }


def _experience(who: Persona) -> Json | None:
    dice = who.dice("experience", 256)
    if not who.full and dice.chance(0.04):
        return None
    now = 2 if who.full else dice.pick((0, 1, 1, 1, 1, 1, 1, 2, 2, 3))
    before = 1 if who.full else dice.pick((0, 0, 1, 1, 2, 2, 3, 4))
    start = CURRENT_YEAR - dice.below(8)
    # Several current jobs are normal, and the main one need not come first.
    main = dice.below(now) if now else None
    current = [
        _role(who, dice, first_year=start - n % 2, last_year=None, main=n == main)
        for n in range(now)
    ]
    past: list[Json] = []
    for _ in range(before):
        end, start = start, start - 1 - dice.below(6)
        past.append(_role(who, dice, first_year=start, last_year=end))
    experience: Json = {"employment_details": {"current": current, "past": past}}
    if not who.full and dice.chance(0.5):
        years = CURRENT_YEAR - start
        experience |= {"years_of_experience": _years(years), "years_of_experience_raw": years}
    return experience


def _education(who: Persona) -> Json | None:
    dice = who.dice("education", 48)
    if not who.full and dice.chance(0.12):
        return None
    schools: list[Json] = []
    for _ in range(1 if who.full else dice.pick((0, 1, 1, 1, 2, 2, 3))):
        dated = who.full or dice.chance(0.7)
        end = CURRENT_YEAR - dice.below(30)
        school: Json = {
            "school": dice.pick(SCHOOLS),
            "degree": dice.pick(DEGREES),
            "field_of_study": dice.pick(SUBJECTS),
            "start_year": end - 3 if dated else None,
            "end_year": end if dated else None,
            "activities_and_societies": "" if who.full else dice.pick(TEXTS),
            "institute_logo_url": "https://pictures.example/u.jpg"
            if who.full or dice.chance(0.8)
            else None,
            "professional_network_id": str(4000 + dice.below(2000)),
        }
        if not who.full and dice.chance(0.05):
            school["institute_logo_permalink"] = "https://pictures.example/u-perma.jpg"
            school["description"] = dice.pick(TEXTS)
            school["location"] = _location(who.place, full=who.place[0])
        schools.append(school)
    return {"schools": schools}


def _skills(who: Persona) -> Json | None:
    dice = who.dice("skills", 24)
    if not who.full and dice.chance(0.08):
        return None
    count = 3 if who.full else dice.pick((0, 2, 3, 5, 8, 12))
    return {"professional_network_skills": [dice.pick(SKILLS) for _ in range(count)]}


def _certifications(who: Persona) -> list[Json] | None:
    dice = who.dice("certifications", 24)
    if not who.full and dice.chance(0.3):
        return None
    certifications: list[Json] = []
    for n in range(1 if who.full else dice.pick((0, 0, 0, 1, 1, 2))):
        year = CURRENT_YEAR - dice.below(9)
        number = f"ABC-{dice.below(10000)}"
        certifications.append(
            {
                "name": dice.pick(("Example Cloud Certified", "CPA", "Führerschein Klasse B")),
                "issuing_organization": dice.pick(("Example Org", "")),
                "issue_date": f"{year}-01-01" if who.full or dice.chance(0.8) else "",
                "expiration_date": f"{year + 3}-01-01" if n and dice.chance(0.7) else None,
                "credential_id": number,
                "credential_url": f"https://example.com/cred/{number}",
            }
        )
    return certifications


def _honors(who: Persona) -> list[Json] | None:
    dice = who.dice("honors", 8)
    if not who.full and dice.chance(0.3):
        return None
    count = 1 if who.full else dice.pick((0, 0, 0, 1, 2))
    return [
        {"title": dice.pick(("Example Award", "Médaille d'honneur", "Top 100"))}
        for _ in range(count)
    ]


def _develops(who: Persona) -> bool:
    return who.full or who.dice("develops", 1).chance(0.15)


def _dev_platform_profiles(who: Persona) -> list[Json] | None:
    dice = who.dice("dev_platform_profiles", 96)
    if not _develops(who):
        return [] if dice.chance(0.5) else None
    login = quote(who.key)
    repos = [_repo(dice, login) for _ in range(1 if who.full else dice.below(4))]
    stars = sorted(repo["stars"] for repo in repos) or [0]
    return [
        {
            "profile_url": f"https://github.com/{login}",
            "name": who.name,
            "bio": "" if who.full else dice.pick(TEXTS),
            "company_text": "" if who.full else dice.pick(("", f"@{who.company[0]}")),
            "website_url": None if who.full or dice.chance(0.7) else f"https://{login}.example/",
            "email": None
            if who.full or dice.chance(0.8)
            else f"{who.person.person_id}@mail.example",
            "location": {"raw": who.place[0]},
            "is_hireable": None if who.full else dice.pick((None, None, True, False)),
            "followers": dice.below(5000),
            "following": dice.below(300),
            "public_repo_count": len(repos) + 3,
            "total_repos": len(repos) + 3,
            "total_stars": sum(stars),
            "max_stars": stars[-1],
            "median_stars": stars[len(stars) // 2],
            "all_languages": sorted(
                {repo["primary_language"] for repo in repos if repo["primary_language"]}
            ),
            "all_topics": sorted({topic for repo in repos for topic in repo["topics"]}),
            "metadata": {"created_at": f"{2008 + dice.below(15)}-02-03T00:00:00+00:00"},
            "repos": repos,
        }
    ]


def _repo(dice: Dice, login: str) -> Json:
    name = dice.pick(("tool", "dotfiles", "site", "notebooks"))
    year = 2012 + dice.below(14)
    return {
        "full_name": f"{login}/{name}",
        "owner": login,
        "is_fork": dice.chance(0.3),
        "description": dice.pick(("", None, "A tool — for things")) if year != 2018 else "",
        "primary_language": dice.pick((*CODE_LANGUAGES, None)),
        "topics": [dice.pick(TOPICS) for _ in range(dice.below(3))],
        "license_key": dice.pick(("mit", "apache-2.0", None)),
        "archived": dice.chance(0.1),
        "disabled": False,
        "is_template": dice.chance(0.05),
        "has_issues": True,
        "has_projects": dice.chance(0.5),
        "has_wiki": dice.chance(0.5),
        "stars": dice.below(400),
        "forks_count": dice.below(40),
        "open_issues_count": dice.below(9),
        "size": dice.below(9000),
        "github_created_at": f"{year}-01-01T00:00:00+00:00",
        "github_updated_at": f"{year}-06-01T00:00:00+00:00",
        "github_pushed_at": f"{year}-06-01T00:00:00+00:00" if dice.chance(0.9) else None,
    }


def _assessment(who: Persona) -> Json | None:
    dice = who.dice("assessment", 2)
    if not who.full and dice.chance(0.6):
        return None
    verdict, tier = (
        ("clearly_genuine", 0)
        if who.full
        else dice.pick((("clearly_genuine", 0), ("probably_genuine", 1), ("uncertain", 2)))
    )
    return {"authenticity": {"verdict": verdict, "tier": tier}}


def _social_posts(who: Persona) -> list[Json] | None:
    # The shape is not documented anywhere; these keys are invented.
    dice = who.dice("social_posts", 24)
    if who.full or dice.chance(0.6):
        return None
    return [
        {"text": dice.pick(TEXTS), "posted_at": _moment(dice, 2026), "reactions": dice.below(900)}
        for _ in range(dice.below(3))
    ]


GROUPS: dict[str, Callable[[Persona], Any]] = {
    "updated_at": _updated_at,
    "basic_profile": _basic_profile,
    "professional_network": _professional_network,
    "social_handles": _social_handles,
    "experience": _experience,
    "education": _education,
    "skills": _skills,
    "certifications": _certifications,
    "honors": _honors,
    "dev_platform_profiles": _dev_platform_profiles,
    "assessment": _assessment,
    "social_posts": _social_posts,
}
"""How each group is made; a group that a person lacks comes out as None."""
