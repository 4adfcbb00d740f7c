"""Invented people in the vendor's record format, as landed files: the input of the benchmark.

Seeded, so that two runs compare. The quirks are those that the vendor's documents and users report:
nulls and empty strings mixed, several jobs at once, missing groups, both date forms. 9 KB each.
"""

import gzip
import json
import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from crust_pipeline.tables.flatten.files import LandedFile

_WORDS = (
    "built led shipped designed scaled the a of for with and platform payments data pipeline team"
    " roadmap customers revenue services cloud latency research product growth design systems from"
    " to across in mobile search ranking infrastructure migration hiring mentoring stakeholders"
).split()
_FIRST = (
    "Ada Bo Chen Dara Eli Femi Gita Hugo Ines Jun Kofi Lena Maya Nils Omar Pia Raj Sara".split()
)
_LAST = (
    "Abel Brandt Cruz Diaz Eriksen Fofana Gupta Hansen Ito Jensen Kaya Lund Mensah Novak".split()
)
_SKILLS = [f"{a} {b}" for a in ("Cloud", "Data", "Product", "Sales", "Web") for b in _WORDS]
_CITIES = ("Oslo", "Lagos", "Pune", "Lima", "Austin", "Kyoto", "Łódź", "São Paulo", "")
_LEVELS = ("Entry Level", "Senior", "Director", "Vice President", "CXO", "Owner / Partner")


def slug(number: int) -> str:
    """Give the profile name of an invented person."""
    return f"invented-person-{number:07d}"


def _text(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(_WORDS, k=words))


def _location(rng: random.Random) -> dict[str, str]:
    city = rng.choice(_CITIES)
    return {"raw": city, "city": city, "state": "", "country": "Nowhere", "continent": "Europe"}


def _moment(rng: random.Random) -> str:
    moment = f"{rng.randint(1995, 2025)}-{rng.randint(1, 12):02d}-01T00:00:00"
    return moment + rng.choice(("", "+00:00"))


def _role(rng: random.Random, *, current: bool, default: bool) -> dict[str, Any]:
    company = rng.randint(1, 60_000)
    return {
        "name": f"Example Works {company}",
        "title": _text(rng, 3).title(),
        "start_date": _moment(rng),
        "end_date": None if current else _moment(rng),
        "is_default": default,
        "employment_type": rng.choice(("Full-time", "", "Contract")),
        "description": rng.choice(("", _text(rng, rng.randint(20, 130)))),
        "seniority_level": rng.choice(_LEVELS),
        "function_category": rng.choice(("", "Engineering", "Sales")),
        "position_id": rng.randint(10**8, 10**10),
        "professional_network_id": str(company * 7),
        "crustdata_company_id": rng.choice((company, company, company, None)),
        "company_professional_network_profile_url": f"https://linkedin.com/company/{company * 7}",
        "company_profile_picture_permalink": rng.choice(
            (None, f"https://media.example.com/{company}/logo/{rng.getrandbits(128):032x}.jpg")
        ),
        "company_website_domain": rng.choice(("", f"works{company}.example")),
        "location": {"raw": rng.choice(_CITIES)},
        "years_at_company": "3 to 5 years",
        "years_at_company_raw": rng.randint(0, 20) / 2,
    }


def _dev_profile(rng: random.Random, name: str) -> dict[str, Any]:
    repos = [
        {
            "full_name": f"{name}/{rng.choice(_WORDS)}-{index}",
            "owner": name,
            "is_fork": rng.random() < 0.3,
            "description": rng.choice(("", None, _text(rng, 8))),
            "primary_language": rng.choice(("Go", "Python", None)),
            "topics": rng.sample(_WORDS, k=rng.randint(0, 3)),
            "license_key": rng.choice(("mit", None)),
            "archived": False,
            "disabled": False,
            "is_template": False,
            "has_issues": True,
            "has_projects": False,
            "has_wiki": False,
            "stars": rng.randint(0, 500),
            "forks_count": rng.randint(0, 50),
            "open_issues_count": rng.randint(0, 9),
            "size": rng.randint(1, 10**6),
            "github_created_at": _moment(rng),
            "github_updated_at": _moment(rng),
            "github_pushed_at": _moment(rng),
        }
        for index in range(rng.randint(0, 6))
    ]
    return {
        "profile_url": f"https://github.com/{name}",
        "name": name,
        "bio": "",
        "company_text": "",
        "website_url": None,
        "email": None,
        "location": {"raw": rng.choice(_CITIES)},
        "is_hireable": None,
        "followers": rng.randint(0, 900),
        "following": rng.randint(0, 90),
        "public_repo_count": len(repos),
        "total_repos": len(repos),
        "total_stars": sum(repo["stars"] for repo in repos),
        "max_stars": max((repo["stars"] for repo in repos), default=0),
        "median_stars": 1.5,
        "all_languages": ["Go", "Python"],
        "all_topics": rng.sample(_WORDS, k=3),
        "metadata": {"created_at": _moment(rng)},
        "repos": repos,
    }


def record(number: int, rng: random.Random) -> dict[str, Any]:
    """Invent one enriched person."""
    name = f"{rng.choice(_FIRST)} {rng.choice(_LAST)}"
    headline = _text(rng, 6)
    data: dict[str, Any] = {
        "crustdata_person_id": 1_000_000 + number,
        "updated_at": "2026-09-15T05:52:32+00:00",
        "basic_profile": {
            "name": name,
            "first_name": rng.choice((None, name.split(maxsplit=1)[0])),
            "last_name": rng.choice((None, name.split()[1])),
            "headline": headline,
            "current_title": _text(rng, 2).title(),
            "summary": rng.choice(("", _text(rng, rng.randint(50, 300)))),
            "languages": rng.choice(([], ["English", "Norwegian"])),
            "professional_network_name": name,
            "profile_picture_permalink": f"https://media.example.com/{rng.getrandbits(256):064x}",
            "normalized_title": {
                "matched_title": "Backend Engineer",
                "department": "Engineering",
                "sub_department": "Software",
                "similarity": round(rng.random(), 2),
                "confident": True,
            },
            "location": _location(rng),
        },
        "professional_network": {
            "name": name,
            "headline": headline,
            "current_title": "",
            "summary": "",
            "pronoun": "",
            "connections": rng.randint(0, 500),
            "followers": rng.randint(0, 30_000),
            "open_to_cards": [],
            "profile_picture_permalink": f"https://media.example.com/{rng.getrandbits(256):064x}",
            "metadata": {"last_scraped_source": None},
            "location": _location(rng),
        },
        "social_handles": {
            "professional_network_identifier": {
                "profile_url": f"https://www.linkedin.com/in/{slug(number)}"
            },
            "dev_platform_identifier": {"profile_url": None},
            "twitter_identifier": {"slug": ""},
        },
        "experience": {
            "employment_details": {
                "current": [
                    _role(rng, current=True, default=index == 0)
                    for index in range(rng.choice((0, 1, 1, 1, 2, 3)))
                ],
                "past": [
                    _role(rng, current=False, default=False) for _ in range(rng.randint(0, 9))
                ],
            },
            "years_of_experience": "More than 10 years",
            "years_of_experience_raw": 14,
        },
        "skills": {
            "professional_network_skills": rng.sample(_SKILLS, k=rng.choice((0, 5, 15, 20, 40)))
        },
        "assessment": {"authenticity": {"verdict": "clearly_genuine", "tier": 0}},
    }
    if rng.random() < 0.9:
        data["education"] = {
            "schools": [
                {
                    "school": f"Example University {rng.randint(1, 900)}",
                    "degree": rng.choice(("", "Bachelor of Technology - BTech")),
                    "field_of_study": rng.choice(("", "Computer Science")),
                    "start_year": rng.choice((None, 2001, 2012)),
                    "end_year": rng.choice((None, 2005, 2016)),
                    "activities_and_societies": rng.choice(("", _text(rng, 12))),
                    "institute_logo_url": f"https://media.example.com/{rng.getrandbits(96):024x}",
                    "professional_network_id": str(rng.randint(1, 10**8)),
                }
                for _ in range(rng.choice((0, 1, 2, 3)))
            ]
        }
    if rng.random() < 0.5:
        data["certifications"] = [
            {
                "name": _text(rng, 3).title(),
                "issuing_organization": "Example Org",
                "issue_date": "2024-01-01",
                "expiration_date": None,
                "credential_id": f"{rng.getrandbits(48):012x}",
                "credential_url": "https://example.com/credential",
            }
            for _ in range(rng.randint(0, 4))
        ]
        data["honors"] = [{"title": _text(rng, 3).title(), "year": 2020}] * rng.choice((0, 0, 1))
    if rng.random() < 0.25:
        data["dev_platform_profiles"] = [_dev_profile(rng, slug(number))]
    return data


def lines(people: int, seed: int) -> Iterator[bytes]:
    """Give landed lines, one per person."""
    rng = random.Random(seed)  # noqa: S311 - invented data, not secrets
    for number in range(seed * 1_000_000, seed * 1_000_000 + people):
        line = {
            "original_identifier": f"https://www.linkedin.com/in/{slug(number)}",
            "internal_id": 1_000_000 + number,
            "data": record(number, rng),
        }
        yield json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()


def write_file(path: Path, people: int, seed: int) -> None:
    """Write a landed file."""
    with gzip.open(path, "wb", compresslevel=6) as file:
        for line in lines(people, seed):
            file.write(line + b"\n")


def landed_file(path: Path, people: int, seed: int, days: list[date]) -> LandedFile:
    """Describe a file made by `write_file`, its people spread over `days`."""
    slugs = [slug(number) for number in range(seed * 1_000_000, seed * 1_000_000 + people)]
    asked = pa.table(
        {
            "identifier": [f"https://www.linkedin.com/in/{name}" for name in slugs],
            "subject_key": [f"linkedin.com/in/{name}" for name in slugs],
            "partition_date": [days[index % len(days)] for index in range(people)],
        }
    )
    return LandedFile(
        submission_id=f"submission-{seed}",
        batch_id=f"batch-{seed}",
        operation="enrich",
        path=path,
        source_file=path.name,
        sha256="0" * 64,
        asked=asked,
    )
