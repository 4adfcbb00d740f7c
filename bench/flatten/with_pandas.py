"""What one would write with pandas: json_normalize per table, then Parquet. Dates stay text."""

import gzip
import json
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
from usage import cpu_seconds, peak_mb

_LISTS: dict[str, list[str]] = {
    "education": ["data", "education", "schools"],
    "skills": ["data", "skills", "professional_network_skills"],
    "certifications": ["data", "certifications"],
    "honors": ["data", "honors"],
    "dev_platform_profiles": ["data", "dev_platform_profiles"],
}
_META: list[str | list[str]] = ["internal_id", "original_identifier"]


def _filled(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give every record the lists that json_normalize insists on."""
    for line in lines:
        data = line["data"]
        data.setdefault("education", {}).setdefault("schools", [])
        data.setdefault("certifications", [])
        data.setdefault("honors", [])
        data.setdefault("dev_platform_profiles", [])
    return lines


def _write(folder: Path, name: str, frame: pd.DataFrame) -> None:
    for column in frame.columns:
        if frame[column].map(lambda value: isinstance(value, list | dict)).any():
            frame[column] = frame[column].map(json.dumps)
    frame.to_parquet(folder / f"pandas-{name}.parquet", compression="zstd")


def flatten(folder: Path) -> None:
    """Flatten all files of a folder."""
    lines: list[dict[str, Any]] = []
    for name, _, _ in json.loads((folder / "files.json").read_text()):
        with gzip.open(folder / name, "rt", encoding="utf-8") as file:
            lines += [json.loads(line) for line in file]
    lines = _filled(lines)
    for name, path in _LISTS.items():
        _write(folder, name, pd.json_normalize(lines, record_path=path, meta=_META))
    roles = ["data", "experience", "employment_details"]
    kinds = [
        pd.json_normalize(lines, record_path=[*roles, kind], meta=_META).assign(
            is_current=kind == "current"
        )
        for kind in ("current", "past")
    ]
    _write(folder, "employment", pd.concat(kinds))
    profiles = [profile for line in lines for profile in line["data"]["dev_platform_profiles"]]
    repos = pd.json_normalize(profiles, record_path=["repos"], meta=["profile_url"])
    _write(folder, "dev_platform_repos", repos)
    for line in lines:
        for group in ("experience", "education", "skills", "certifications", "honors"):
            line["data"].pop(group, None)
        line["data"].pop("dev_platform_profiles", None)
    _write(folder, "people", pd.json_normalize(lines))


if __name__ == "__main__":
    start, cpu = time.perf_counter(), cpu_seconds()
    flatten(Path(sys.argv[1]))
    took = {"seconds": time.perf_counter() - start, "cpu_seconds": cpu_seconds() - cpu}
    print(json.dumps(took | {"peak_mb": peak_mb()}))
