"""What is known of a person beside a key, for vendors that look people up by name and employer."""

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPerson:
    """A person as upstream rows and earlier purchases describe them.

    Attributes:
        key: an opaque key, which comes back with the answer and tells nothing of the person.
        firstname: empty when it is not known.
        lastname: empty when it is not known.
        domain: of the company.
        company_name: of the company.
        linkedin_url: the profile URL.
    """

    key: str
    firstname: str
    lastname: str
    domain: str | None = None
    company_name: str | None = None
    linkedin_url: str | None = None


def opaque_key(key: str) -> str:
    """Return what stands for a person where a vendor is to echo nothing personal."""
    return sha256(key.encode()).hexdigest()[:32]
