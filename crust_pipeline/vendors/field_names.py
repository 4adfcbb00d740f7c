"""Names of fields: paths such as `education.schools`, in which a group stands for all under it."""

from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches


def under(name: str, group: str) -> bool:
    """Tell whether a field is `group` or a leaf below it: `a.b` is under `a`."""
    return name == group or name.startswith(group + ".")


def is_among(name: str, listed: Collection[str]) -> bool:
    """Tell whether a field is one of those listed, or a group or a part of one.

    A part counts where the list names no parts of that group: `posts.text` is among `posts`, and
    `education.schoolz` is not among `education` and `education.schools`.
    """
    if any(under(each, name) for each in listed):
        return True
    group = max((each for each in listed if under(name, each)), key=len, default=None)
    return group is not None and not any(each.startswith(group + ".") for each in listed)


def not_among(names: Iterable[str], listed: Collection[str]) -> tuple[str, ...]:
    """Return those of `names` that are not among the fields listed."""
    return tuple(name for name in names if not is_among(name, listed))


def with_nearest(names: Iterable[str], listed: Sequence[str]) -> str:
    """Return unknown fields in words, each with the listed ones that are most like it."""
    told: list[str] = []
    for name in names:
        near = get_close_matches(name, listed, n=3)
        told.append(f"{name} (nearest: {', '.join(near)})" if near else name)
    return ", ".join(told)
