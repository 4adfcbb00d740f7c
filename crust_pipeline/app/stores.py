"""Holds that raw folder, lake and ledger belong together, before anything is bought or loaded.

An empty, older or wrong ledger beside a full raw folder would buy everything again; a second lake
would be filled with empty tables. So each folder holds an id in a file, which the ledger keeps for
every account, and no file or table may name a batch that the ledger does not know.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from crust_pipeline.errors import CrustError
from crust_pipeline.ledger import stores as ledger_stores
from crust_pipeline.ledger.store import Ledger
from crust_pipeline.ledger.stores import Store
from crust_pipeline.private_files import make_private_folder, open_private
from crust_pipeline.tables.store.lake import Lake

# The file that holds a folder's id.
MARK: Final = ".ledger"
_BATCH: Final = re.compile(r"[0-9a-f]{32}")


class StoresError(CrustError):
    """Raw folder, lake and ledger do not belong together. Nothing was bought or written."""


class UnknownBatchesError(StoresError):
    """Batches lie in the raw folder or the lake that the ledger does not know."""

    def __init__(self, found: str, *, ledger: str) -> None:
        """Say what was found beside which ledger, and what can be done."""
        super().__init__(
            f"{found}, and the ledger {ledger} does not know them: it is new, an older copy, or "
            "another one. With it, what is paid for would be bought again, so nothing was bought "
            "or loaded. Check CRUST_LEDGER_URL, or restore the ledger's latest backup. Without "
            "one, `crust-pipeline upgrade --restore-claims` reads back what was bought; "
            "`crust-pipeline upgrade --new-ledger` goes on without it, on purpose."
        )


class OtherStoreError(StoresError):
    """A folder is not the one that the ledger keeps for an account."""

    def __init__(self, place: str, folder: Path, store: Store, *, ledger: str) -> None:
        """Name both folders."""
        super().__init__(
            f"CRUST_{place.upper()} is {folder}, and the ledger {ledger} keeps what the account "
            f"{store.account} bought in {store.path}. Tables of {folder} would be empty or "
            f"another's, so nothing was bought or loaded. Set CRUST_{place.upper()} to "
            f"{store.path}; if that was moved, move its file {MARK} as well. "
            "`crust-pipeline upgrade --new-ledger` takes the folder as it is, on purpose."
        )


def check_stores(ledgers: Sequence[Ledger], *, raw: Path, lake: Lake) -> None:
    """Refuse a raw folder or lake that does not belong to the ledger; enter what is new.

    Args:
        ledgers: the ledger, as it remembers purchases of each account.
        raw: the folder of vendor files.
        lake: the tables.

    Raises:
        StoresError: they do not belong together.
    """
    ledger, accounts = ledgers[0], [each.account for each in ledgers]
    folders = {"raw": raw, "lake": lake.root}
    marks = {place: _mark_of(folder) for place, folder in folders.items()}
    entered = ledger_stores.all_stores(ledger)
    ours = [store for store in entered if store.account in accounts]
    for store in ours:
        folder, mark = folders[store.place], marks[store.place]
        # Without a file it is the one whose file could not be written, or was lost with the rest.
        same = mark == store.store_id if mark else store.path == str(folder.resolve())
        if not same:
            raise OtherStoreError(store.place, folder, store, ledger=ledger.name)
    ids = {store.store_id for store in entered}
    new_to_ledger = [place for place, mark in marks.items() if mark and mark not in ids]
    found = unknown_batches(ledger, raw=raw, lake=None if _is_entered(ours, "lake") else lake)
    if any(found.values()) or new_to_ledger:
        raise UnknownBatchesError(_in_words(found, new_to_ledger, folders), ledger=ledger.name)
    moved = any(store.path != str(folders[store.place].resolve()) for store in ours)
    if moved or len(ours) < len(folders) * len(accounts) or not all(marks.values()):
        enter_stores(ledgers, raw=raw, lake=lake)


def unknown_batches(ledger: Ledger, *, raw: Path, lake: Lake | None) -> Mapping[str, list[str]]:
    """Return the batches that the ledger does not know, by the place that names them."""
    # Looked at first: whatever another process lands meanwhile is in the ledger before.
    named = {"raw": _batches_in_raw(raw), "lake": _batches_in_lake(lake) if lake else set[str]()}
    return {place: ledger_stores.not_known(ledger, ids, sent=True) for place, ids in named.items()}


def enter_stores(ledgers: Sequence[Ledger], *, raw: Path, lake: Lake) -> None:
    """Enter folders in the ledger, and write the ledger's id of each into it.

    The ledger first: an id that is in a folder only is another ledger's.
    """
    folders = {"raw": raw, "lake": lake.root}
    ids = ledger_stores.enter(
        ledgers[0],
        [each.account for each in ledgers],
        {place: str(folder.resolve()) for place, folder in folders.items()},
        {place: mark for place, folder in folders.items() if (mark := _mark_of(folder))},
    )
    for place, folder in folders.items():
        if _mark_of(folder) is None:
            make_private_folder(folder)
            unfinished = folder / f"{MARK}.unfinished"
            with open_private(unfinished) as file:
                file.write(f"{ids[place]}\n".encode("ascii"))
            unfinished.replace(folder / MARK)


def accept_as_new(ledgers: Sequence[Ledger], *, raw: Path, lake: Lake) -> int:
    """Go on with this ledger and these folders as they are; return the batches set aside."""
    found = unknown_batches(ledgers[0], raw=raw, lake=lake)
    unknown = sorted({name for names in found.values() for name in names})
    ledger_stores.accept(ledgers[0], unknown)
    enter_stores(ledgers, raw=raw, lake=lake)
    return len(unknown)


def _is_entered(stores: Sequence[Store], place: str) -> bool:
    return any(store.place == place for store in stores)


def _mark_of(folder: Path) -> str | None:
    """Return the id that a folder holds; None without one."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return (folder / MARK).read_text(encoding="ascii").strip() or None
    return None


def _batches_in_raw(raw: Path) -> set[str]:
    """Return the batches that files are named after, which is `<batch>.jsonl.gz` and its like."""
    return {
        name for path in raw.glob("*/*/*") if _BATCH.fullmatch(name := path.name.partition(".")[0])
    }


def _batches_in_lake(lake: Lake) -> set[str]:
    rows = lake.rows("SELECT DISTINCT submission_id FROM {batches} WHERE landed_at IS NOT NULL")
    return {name for (name,) in rows}


def _in_words(
    found: Mapping[str, list[str]], new_to_ledger: Sequence[str], folders: Mapping[str, Path]
) -> str:
    told = [
        f"{batches_in_words(len(names))} {'lies' if len(names) == 1 else 'lie'} in {folders[place]}"
        for place, names in found.items()
        if names
    ]
    told += [f"{folders[place]} belongs to another ledger" for place in new_to_ledger]
    return "; ".join(told)


def batches_in_words(count: int) -> str:
    """Return a number of batches in words."""
    return "1 batch" if count == 1 else f"{count:,} batches"
