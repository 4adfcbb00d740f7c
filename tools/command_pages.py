"""The pages docs/settings.md and docs/command-line.md, made from what they describe.

`make docs` writes them; a test holds them current.
"""

from dataclasses import fields
from pathlib import Path

import click

from crust_pipeline.settings import Settings


def settings_page() -> str:
    """Every setting, with its default and what it is for."""
    lines = [
        "# Settings",
        "",
        "Settings come from environment variables, and from a file `.env` in the working folder,",
        "which holds lines of `NAME=value`; what the environment sets goes before the file. In",
        "Dagster's Launchpad the resource `crust` has the same settings, and what is typed there",
        "holds for that run. Not there are the keys, and what decides which assets, days and hours",
        "there are, which changes when the code location is loaded again:",
        f"{', '.join(_shaping())}.",
        "(Made from the code by `make docs`.)",
        "",
        "| variable | default | what it is |",
        "|---|---|---|",
    ]
    for spec in fields(Settings):
        default = _default(spec.default)
        meta = spec.metadata
        lines.append(f"| `{meta['variable']}` | {default} | {_cell(meta['description'])} |")
    return "\n".join(lines) + "\n"


def _shaping() -> list[str]:
    return [
        f"`{spec.metadata['variable']}`"
        for spec in fields(Settings)
        if spec.metadata["shapes_graph"]
    ]


def _default(value: object) -> str:
    match value:
        case None | "" | ():
            return ""
        case Path() if value == Path():
            return ""
        case bool():
            return f"`{str(value).lower()}`"
        case tuple():
            return f"`{','.join(map(str, value))}`"
        case float():
            return f"`{value:g}`"
        case _:
            return f"`{value}`"


def command_line_page(main: click.Group) -> str:
    """Every command, with its arguments and options."""
    lines = [
        "# The command line",
        "",
        "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped with Ctrl-C. Progress and",
        "errors go to standard error, results to standard output; `--json` prints them for",
        "scripts. Settings come from the environment and a file `.env`: see",
        "[settings.md](settings.md). With `-v` before the command, each step of a batch is logged",
        "as one line.",
        "(Made from the code by `make docs`.)",
    ]
    for path, command in _commands(main, "crust-pipeline"):
        context = click.Context(command, info_name=path)
        lines += ["", f"## `{path}`", "", *_paragraphs(command.help or ""), "", "```"]
        lines += [context.get_usage().removeprefix("Usage: "), "```"]
        options = [each for each in command.params if isinstance(each, click.Option)]
        if options:
            lines += ["", "| option | what it does |", "|---|---|"]
        for option in options:
            names = ", ".join(option.opts)
            record = option.get_help_record(context)
            lines.append(f"| `{names}` | {_cell(record[1] if record else '')} |")
    return "\n".join(lines) + "\n"


def _commands(group: click.Group, path: str) -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            found += _commands(command, f"{path} {name}")
        else:
            found.append((f"{path} {name}", command))
    return found


def _paragraphs(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
