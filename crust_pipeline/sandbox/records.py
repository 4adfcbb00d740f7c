"""Invents person records, with the quirks of the real ones: nulls, `""` and `[]` mixed, groups that are
missing, several current jobs, both date forms. One function per group of the record, so that a file holds
and costs only what was asked for. Who exists at all is decided in `people.py`.
"""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from crust_pipeline.sandbox.people import (
    COMPANIES,
    Dice,
    Fate,
    Person,
    is_email,
    match,
    person_of_slug,
    slug_of,
)

Json = dict[str, Any]

_CURRENT_YEAR = 2026  # people do not change with the clock: the same person always, everywhere

_FIRST = (
    "Ada",
    "Zoë",
    "José",
    "Łukasz",
    "Mei",
    "Björn",
    "Aïcha",
    "Olu",
    "Priya",
    "Нина",
    "健",
    "Siobhán",
)
_LAST = (
    "Ångström",
    "Sandbox",
    "O’Neil",
    "van der Berg",
    "Müller",
    "Nguyễn",
    "da Silva",
    "Иванова",
    "山田",
)
_PLACES = (
    ("Bengaluru, Karnataka, India", "Bengaluru", "Karnataka", "India", "Asia"),
    ("San Francisco Bay Area", "", "California", "United States", "North America"),
    ("Zürich, Switzerland", "Zürich", "Zürich", "Switzerland", "Europe"),
    ("São Paulo, Brazil", "São Paulo", "São Paulo", "Brazil", "South America"),
    ("Lagos, Nigeria", "Lagos", "", "Nigeria", "Africa"),
    ("日本 東京都", "東京", "", "Japan", "Asia"),
    ("Greater Paris Metropolitan Region", "", "", "France", "Europe"),
    ("", "", "", "", ""),
)
# Title, department, sub-department, function category.
_TITLES = (
    ("Senior Backend Engineer", "Engineering", "Software Engineering", "Engineering"),
    ("Founder, CEO", "Management", "Executive", "Business Management"),
    ("Account Executive", "Sales", "Field Sales", "Sales"),
    ("Chef de projet", "Operations", "Project Management", "Operations"),
    ("Registered Nurse", "Healthcare", "Nursing", "Healthcare Services"),
    ("Head of Growth", "Marketing", "Growth", "Marketing"),
    ("Data Analyst", "Data", "Analytics", "Engineering"),
    ("Advisor", "", "", ""),
    ("品質管理マネージャー", "Operations", "Quality", ""),
)
_SENIORITIES = (
    "Entry Level",
    "Entry Level Manager",
    "Senior",
    "Experienced Manager",
    "Director",
    "Vice President",
    "CXO",
    "Owner / Partner",
    "In Training",
    "Strategic",
)
_EMPLOYMENT_TYPES = ("Full-time", "Full-time", "", "", "Part-time", "Contract", "Self-employed")
_LANGUAGES = ("English", "Deutsch", "Français", "हिन्दी", "Português", "日本語")
_SKILLS = (
    "Python", "Go", "Kubernetes", "SQL", "Negotiation", "Public Speaking", "Nursing", "  Data Analysis ", "C++",
    "Gestão de Projetos", "Excel", "", "R&D", "Team Leadership", "Логистика", "Copywriting", "Java", "SEO",
)  # fmt: skip
_SCHOOLS = (
    "Example University",
    "University of Example",
    "École d’Exemple",
    "Universität Beispiel",
    "例大学",
)
_DEGREES = (
    "Bachelor of Technology - BTech",
    "MSc",
    "",
    "PhD",
    "Master of Business Administration",
    "BA",
)
_SUBJECTS = (
    "Computer Science",
    "",
    "Economics",
    "Nursing",
    "Histoire de l’art",
    "Mechanical Engineering",
)
_CODE_LANGUAGES = ("Go", "Python", "TypeScript", "Rust", "Jupyter Notebook", "C#")
_TOPICS = ("cli", "etl", "machine-learning", "awesome-list", "dotfiles")
_TEXTS = (
    "",
    "",
    'Line one.\nLine two, with a "quote" and a tab\there.',
    "I help teams ship. 🚀 Ask me about naïve façades — 100 % serious; (not) a CSV-friendly, text.",
    "Responsible for planning, delivery and reporting.",
)


def profile_url(slug: str) -> str:
    """The canonical URL the vendor keeps for a slug (no trailing slash)."""
    return f"https://www.linkedin.com/in/{quote(slug)}"


def person(slug_or_email: str) -> Json | None:
    """The whole record of whoever a slug, a profile URL or an e-mail leads to; None for nobody.

    This is what tests compare tables with: a file holds these values, cut to the fields that were asked for.
    """
    if is_email(slug_or_email):
        found = match(slug_or_email, personal_emails=True)
        someone = found.person if found else None
    else:
        slug = slug_of(slug_or_email) if "/" in slug_or_email else slug_or_email
        someone = person_of_slug(slug) if slug else None
    return record(someone) if someone is not None and someone.found else None


def record(someone: Person, groups: Iterable[str] | None = None) -> Json:
    """The record of a person, whole or only some groups of it; the id is always there.

    Args:
        someone: A person who is found.
        groups: Names of top-level groups; None: all.
    """
    if someone.fate is Fate.SHELL:
        return {"crustdata_person_id": someone.person_id, "basic_profile": {}}
    whole = {"crustdata_person_id": someone.person_id}
    base = _Base(someone)
    for group in _BUILDERS if groups is None else groups:
        if group in _BUILDERS and (value := _BUILDERS[group](base)) is not None:
            whole[group] = value
    return whole


def has_group(someone: Person, group: str) -> bool:
    """Whether the record has something in a group that is billed apart; cheap, for settling."""
    if someone.fate is not Fate.KNOWN:
        return False
    return bool(_BUILDERS[group](_Base(someone)))


class _Base:
    """What the groups of one record have in common."""

    __slots__ = ("company", "full", "key", "name", "person", "place", "title")

    def __init__(self, someone: Person) -> None:
        dice = Dice(f"base:{someone.slug}", draws=12)
        self.person = someone
        self.key = someone.slug
        self.full = someone.slug == "sam-sandbox"  # the example person has every group
        self.name = self._name(dice)
        self.place = _PLACES[0] if self.full else dice.pick(_PLACES)
        self.title = _TITLES[0] if self.full else dice.pick(_TITLES)
        self.company = COMPANIES[0] if self.full else dice.pick(COMPANIES)

    def _name(self, dice: Dice) -> str:
        words = [w for w in self.key.split("-") if w.isalpha()]
        if len(words) < 2:
            return f"{dice.pick(_FIRST)} {dice.pick(_LAST)}"
        name = " ".join(words[:3]).title()
        return name + dice.pick(("",) * 17 + (", PhD", " 🚀", " (she/her)"))

    def dice(self, group: str, draws: int) -> Dice:
        """Draws for one group, independent of the other groups."""
        return Dice(f"{group}:{self.key}", draws=draws)

    def headline(self) -> str:
        return f"{self.title[0]} at {self.company[0]}"


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


def _updated_at(base: _Base) -> str:
    dice = base.dice("updated_at", 8)
    day, hour = 1 + dice.below(28), dice.below(24)
    return f"2026-{1 + dice.below(10):02d}-{day:02d}T{hour:02d}:{dice.below(60):02d}:32+00:00"


def _basic_profile(base: _Base) -> Json:
    dice = base.dice("basic_profile", 32)
    parts = base.name.split(" ")
    split = not base.full and dice.chance(0.4)
    profile: Json = {
        "name": base.name,
        "first_name": parts[0] if split else None,
        "last_name": parts[-1] if split else None,
        "headline": base.headline() if base.full or dice.chance(0.95) else "",
        "current_title": base.title[0],
        "summary": "" if base.full else dice.pick(_TEXTS),
        "languages": []
        if base.full
        else [dice.pick(_LANGUAGES) for _ in range(dice.pick((0, 0, 1, 2)))],
        "professional_network_name": base.name,
        "profile_picture_permalink": "https://pictures.example/p.jpg" if dice.chance(0.9) else None,
        "location": _location(base.place),
    }
    if base.full or (base.title[1] and dice.chance(0.9)):
        profile["normalized_title"] = {
            "matched_title": base.title[0],
            "department": base.title[1],
            "sub_department": base.title[2],
            "similarity": round(0.5 + dice.below(50) / 100, 2),
            "confident": True if base.full else dice.chance(0.8),
        }
    if not base.full and dice.chance(0.05):
        profile["location"] = _location(base.place, full=base.place[0])
        profile["last_updated"] = _updated_at(base)
    return profile


def _professional_network(base: _Base) -> Json | None:
    dice = base.dice("professional_network", 16)
    if not base.full and dice.chance(0.05):
        return None
    network: Json = {
        "name": base.name,
        "headline": base.headline(),
        "current_title": base.title[0],
        "summary": "" if base.full else dice.pick(_TEXTS),
        "pronoun": "" if base.full else dice.pick(("", "", "", "she/her", "they/them")),
        "connections": dice.below(30000),
        "followers": dice.below(65536),
        "open_to_cards": [] if base.full else dice.pick(([], [], [], ["hiring"])),
        "profile_picture_permalink": "https://pictures.example/p.jpg",
        "metadata": {"last_scraped_source": None if base.full or dice.chance(0.9) else "search"},
        "location": _location(base.place),
    }
    if not base.full and dice.chance(0.05):
        network["location"] = _location(base.place, full=base.place[0])
        network["joined_date"] = f"{2004 + dice.below(20)}-05-01"
        network["verifications"] = ["workplace"]
    return network


def _social_handles(base: _Base) -> Json:
    dice = base.dice("social_handles", 4)
    handles: Json = {"professional_network_identifier": {"profile_url": profile_url(base.key)}}
    if base.full or dice.chance(0.95):
        developer = f"https://github.com/{quote(base.key)}" if _develops(base) else None
        handles["dev_platform_identifier"] = {"profile_url": developer}
        slug = "" if base.full or dice.chance(0.7) else f"x{base.person.person_id}"
        handles["twitter_identifier"] = {"slug": slug}
    return handles


def _years(count: int) -> str:
    for limit, bucket in ((1, "Less than 1 year"), (3, "1 to 2 years"), (6, "3 to 5 years")):
        if count < limit:
            return bucket
    return "6 to 10 years" if count <= 10 else "More than 10 years"


def _role(base: _Base, dice: Dice, *, first_year: int, last_year: int | None) -> Json:
    company = dice.below(len(COMPANIES))
    name, domain = COMPANIES[company]
    title = dice.pick(_TITLES)
    number = 10_000_001 + company
    years = (last_year or _CURRENT_YEAR) - first_year
    role: Json = {
        "name": name,
        "title": title[0],
        "start_date": _moment(dice, first_year) if base.full or dice.chance(0.95) else None,
        "end_date": _moment(dice, last_year) if last_year else None,
        "is_default": False,
        "employment_type": dice.pick(_EMPLOYMENT_TYPES),
        "description": "" if base.full else dice.pick(_TEXTS),
        "seniority_level": dice.pick(_SENIORITIES),
        "function_category": title[3],
        "position_id": 1_000_000_001 + (dice.below(65536) << 12),
        "professional_network_id": str(number),
        "crustdata_company_id": 700_001 + company,
        "company_professional_network_profile_url": f"https://linkedin.com/company/{number}",
        "company_profile_picture_permalink": "https://pictures.example/c.jpg"
        if dice.chance(0.6)
        else None,
        "company_website_domain": domain if dice.chance(0.9) else "",
        "location": {"raw": dice.pick(_PLACES)[0]},
        "years_at_company": _years(years),
        "years_at_company_raw": float(years),
    }
    if not base.full and dice.chance(0.04):
        role |= _role_extras(dice, domain)
    return role


def _role_extras(dice: Dice, domain: str) -> Json:
    # Only in the vendor's generated path list; no capture of enrich shows them, so they are rare here.
    place = dice.pick(_PLACES)
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


def _experience(base: _Base) -> Json | None:
    dice = base.dice("experience", 256)
    if not base.full and dice.chance(0.04):
        return None
    now = 2 if base.full else dice.pick((0, 1, 1, 1, 1, 1, 1, 2, 2, 3))
    before = 1 if base.full else dice.pick((0, 0, 1, 1, 2, 2, 3, 4))
    start = _CURRENT_YEAR - dice.below(8)
    current = [
        _role(base, dice, first_year=start - n if n % 2 else start, last_year=None)
        for n in range(now)
    ]
    if current:
        # Several current jobs are normal, and the main one need not come first.
        main = dice.pick(current)
        main |= {"is_default": True, "name": base.company[0], "title": base.title[0]}
    past: list[Json] = []
    for _ in range(before):
        end, start = start, start - 1 - dice.below(6)
        past.append(_role(base, dice, first_year=start, last_year=end))
    experience: Json = {"employment_details": {"current": current, "past": past}}
    if not base.full and dice.chance(0.5):
        years = _CURRENT_YEAR - start
        experience |= {"years_of_experience": _years(years), "years_of_experience_raw": years}
    return experience


def _education(base: _Base) -> Json | None:
    dice = base.dice("education", 48)
    if not base.full and dice.chance(0.12):
        return None
    schools: list[Json] = []
    for _ in range(1 if base.full else dice.pick((0, 1, 1, 1, 2, 2, 3))):
        dated = base.full or dice.chance(0.7)
        end = _CURRENT_YEAR - dice.below(30)
        school: Json = {
            "school": dice.pick(_SCHOOLS),
            "degree": dice.pick(_DEGREES),
            "field_of_study": dice.pick(_SUBJECTS),
            "start_year": end - 3 if dated else None,
            "end_year": end if dated else None,
            "activities_and_societies": "" if base.full else dice.pick(_TEXTS),
            "institute_logo_url": "https://pictures.example/u.jpg"
            if base.full or dice.chance(0.8)
            else None,
            "professional_network_id": str(4000 + dice.below(2000)),
        }
        if not base.full and dice.chance(0.05):
            school["institute_logo_permalink"] = "https://pictures.example/u-perma.jpg"
            school["description"] = dice.pick(_TEXTS)
            school["location"] = _location(base.place, full=base.place[0])
        schools.append(school)
    return {"schools": schools}


def _skills(base: _Base) -> Json | None:
    dice = base.dice("skills", 24)
    if not base.full and dice.chance(0.08):
        return None
    count = 3 if base.full else dice.pick((0, 2, 3, 5, 8, 12))
    return {"professional_network_skills": [dice.pick(_SKILLS) for _ in range(count)]}


def _certifications(base: _Base) -> list[Json] | None:
    dice = base.dice("certifications", 24)
    if not base.full and dice.chance(0.3):
        return None
    certifications: list[Json] = []
    for n in range(1 if base.full else dice.pick((0, 0, 0, 1, 1, 2))):
        year = _CURRENT_YEAR - dice.below(9)
        number = f"ABC-{dice.below(10000)}"
        certifications.append(
            {
                "name": dice.pick(("Example Cloud Certified", "CPA", "Führerschein Klasse B")),
                "issuing_organization": dice.pick(("Example Org", "")),
                "issue_date": f"{year}-01-01" if base.full or dice.chance(0.8) else "",
                "expiration_date": f"{year + 3}-01-01" if n and dice.chance(0.7) else None,
                "credential_id": number,
                "credential_url": f"https://example.com/cred/{number}",
            }
        )
    return certifications


def _honors(base: _Base) -> list[Json] | None:
    dice = base.dice("honors", 8)
    if not base.full and dice.chance(0.3):
        return None
    count = 1 if base.full else dice.pick((0, 0, 0, 1, 2))
    return [
        {"title": dice.pick(("Example Award", "Médaille d’honneur", "Top 100"))}
        for _ in range(count)
    ]


def _develops(base: _Base) -> bool:
    return base.full or base.dice("develops", 1).chance(0.15)


def _dev_platform_profiles(base: _Base) -> list[Json] | None:
    dice = base.dice("dev_platform_profiles", 96)
    if not _develops(base):
        return [] if dice.chance(0.5) else None
    login = quote(base.key)
    repos = [_repo(dice, login) for _ in range(1 if base.full else dice.below(4))]
    stars = sorted(repo["stars"] for repo in repos) or [0]
    return [
        {
            "profile_url": f"https://github.com/{login}",
            "name": base.name,
            "bio": "" if base.full else dice.pick(_TEXTS),
            "company_text": "" if base.full else dice.pick(("", f"@{base.company[0]}")),
            "website_url": None if base.full or dice.chance(0.7) else f"https://{login}.example/",
            "email": None
            if base.full or dice.chance(0.8)
            else f"{base.person.person_id}@mail.example",
            "location": {"raw": base.place[0]},
            "is_hireable": None if base.full else dice.pick((None, None, True, False)),
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
        "primary_language": dice.pick((*_CODE_LANGUAGES, None)),
        "topics": [dice.pick(_TOPICS) for _ in range(dice.below(3))],
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


def _assessment(base: _Base) -> Json | None:
    dice = base.dice("assessment", 2)
    if not base.full and dice.chance(0.6):
        return None
    verdict, tier = (
        ("clearly_genuine", 0)
        if base.full
        else dice.pick((("clearly_genuine", 0), ("probably_genuine", 1), ("uncertain", 2)))
    )
    return {"authenticity": {"verdict": verdict, "tier": tier}}


def _social_posts(base: _Base) -> list[Json] | None:
    # The shape is not documented anywhere; these keys are invented.
    dice = base.dice("social_posts", 24)
    if base.full or dice.chance(0.6):
        return None
    return [
        {"text": dice.pick(_TEXTS), "posted_at": _moment(dice, 2026), "reactions": dice.below(900)}
        for _ in range(dice.below(3))
    ]


_BUILDERS: dict[str, Callable[[_Base], Any]] = {
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
