"""How Acme's answers are read."""

from typing import Final

from crust_pipeline.vendors.lines import Delivered, Line

VENDOR: Final = "acme"

ADDRESS: Final = Line(
    name="address",
    vendor=VENDOR,
    identifiers=("who",),
    delivered=(Delivered("business_email", "mail[]", (".",)),),
)
