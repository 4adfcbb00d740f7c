"""The old address of `app.days`: published, so it goes on working."""

from crust_pipeline.app.days import write_upstream

__all__ = ["write_upstream"]
