"""The commands, by what they are for; `main` puts them together.

Heavy packages are imported where a command uses them, so that `--help` and `status` are quick.
"""
