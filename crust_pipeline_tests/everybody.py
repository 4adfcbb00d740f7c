"""Who must not be named: everything personal of the people that an installation knows."""

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from crust_pipeline.tables.store.lake import Lake

# Shorter ones stand in other words by chance.
LEAST_CHARACTERS = 6
# A part of every signed link of the sandbox's storage, and of the header that carries the key.
SECRETS = frozenset({"sandbox-key", "X-Goog-Signature", "X-Amz-Signature", "Authorization: Bearer"})


def everybody(lake: Lake) -> set[str]:
    """Names, addresses, numbers and slugs: as given, and as delivered."""
    with lake.connect() as con:
        found = con.execute(
            "SELECT name FROM people UNION SELECT email FROM contact_emails "
            "UNION SELECT phone_number FROM contact_phones UNION SELECT profile_url FROM people "
            "UNION SELECT phone_e164 FROM contact_phones UNION SELECT name FROM identities "
            "UNION SELECT profile_key FROM outcomes UNION SELECT business_email FROM profile_urls "
            "UNION SELECT profile_url FROM profile_urls "
            "UNION SELECT first_name || ' ' || last_name FROM profile_urls"
        ).fetchall()
    slugs = {value.rstrip("/").rpartition("/")[2] for (value,) in found if value}
    values = slugs | {quote(slug) for slug in slugs}
    return {value for value in values if len(value) >= LEAST_CHARACTERS}


def bytes_of(folders: Iterable[Path]) -> bytes:
    """Every byte of every file below some folders."""
    return b"".join(
        path.read_bytes()
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )


def named_in(written: bytes, people: Iterable[str]) -> list[str]:
    """Whoever, or whatever secret, is named in what was written."""
    return [value for value in {*people, *SECRETS} if value.encode() in written]
