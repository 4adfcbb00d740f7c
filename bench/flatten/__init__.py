"""How fast landed files become tables, beside other ways to do it."""

import crust_pipeline  # noqa: F401 - says which memory pool Arrow takes, before Arrow is imported
