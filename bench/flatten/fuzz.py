"""Fuzz of the flattening entry: landed files with random damage, `python -m bench.flatten.fuzz`.

After each round every line must be accounted for: lines left alone are rows, damaged ones are rows
or in quarantine, and nothing raises.
"""

import argparse
import gzip
import random
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path

from bench.flatten.people import landed_file, lines
from crust_pipeline.tables.flatten.flattening import flatten
from crust_pipeline.tables.store.lake import Lake

_DAY = date(2026, 1, 5)
_TOKENS = (
    b"null", b"{}", b"[]", b'""', b"true", b"-1", b"1e999", b"NaN", b'"x"', b"[null]", b"2e400",
    b'{"a":1}', b"9223372036854775808", b"\\ud800", b"\\u0000", b"\x00", b"\xff", b"{", b"]", b'"',
    b",", b":", b"\n", b"\r\n", b"\xef\xbb\xbf", b'"data":{},',
)  # fmt: skip


def damaged(line: bytes, rng: random.Random) -> bytes:
    """Damage a line in one of many ways."""
    start = rng.randrange(len(line))
    end = min(len(line), start + int(rng.expovariate(1 / 12)))
    colon = line.find(b":", start)
    comma = line.find(b",", colon)
    token = rng.choice(_TOKENS)
    return rng.choice(
        [
            line[:start] + bytes([line[start] ^ 1 << rng.randrange(8)]) + line[start + 1 :],
            line[:start] + line[end:],
            line[:start] + token + line[end:],
            line[:end] + line[start:],
            line[:start],
            # A value in place of another, with the syntax kept.
            line[: colon + 1] + token + line[comma:] if comma > 0 else b"",
            line + token,
        ]
    )


def round_of(folder: Path, whole: list[bytes], rng: random.Random) -> None:
    """Damage some lines of a file, flatten it, and account for every line."""
    bad = set(rng.sample(range(len(whole)), k=rng.randint(1, 8)))
    texts = [damaged(line, rng) if place in bad else line for place, line in enumerate(whole)]
    packed = gzip.compress(b"\n".join(texts) + b"\n", compresslevel=1)
    cut = rng.random() < 0.1
    if cut:
        packed = packed[: rng.randrange(20, len(packed))]
    path = folder / "fuzz.jsonl.gz"
    path.write_bytes(packed)
    lake = Lake(folder / "lake")
    report = flatten(
        [landed_file(path, len(whole), 0, [_DAY])],
        operations=["enrich"],
        days=[_DAY],
        lake=lake,
        run_id="fuzz",
        loaded_at=datetime(2026, 1, 6, tzinfo=UTC),
    ).files[0]
    assert report.lines == report.records + report.quarantined
    with lake.connect() as connection:
        rows = connection.execute("SELECT profile_key, source_line FROM people").fetchall()
        aside = connection.execute("SELECT DISTINCT source_line FROM quarantine").fetchall()
    numbers = {number for _, number in rows} | {number for (number,) in aside}
    assert numbers - {0} == set(range(1, report.lines + 1)) or report.set_aside
    if not cut:
        kept = {f"linkedin.com/in/invented-person-{place:07d}" for place in range(len(whole))}
        kept -= {f"linkedin.com/in/invented-person-{place:07d}" for place in bad}
        assert kept <= {key for key, _ in rows}


def main() -> None:
    """Fuzz for a while."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    whole = list(lines(25, 0))
    start, rounds = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="fuzz-flatten-") as name:
        while time.monotonic() - start < options.seconds:
            seed = options.seed + rounds
            try:
                round_of(Path(name), whole, random.Random(seed))  # noqa: S311 - no secret
            except BaseException:
                print(f"seed {seed}")
                raise
            rounds += 1
    print(f"{rounds} files in {time.monotonic() - start:.0f} s, every line accounted for")


if __name__ == "__main__":
    main()
