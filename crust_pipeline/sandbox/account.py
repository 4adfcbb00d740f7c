"""What the account may do: `GET /account/endpoints` (vendor documents, account)."""

from typing import Any

from crust_pipeline.sandbox.endpoints import BY_PATH, Endpoint
from crust_pipeline.sandbox.switches import Switches
from crust_pipeline.sandbox.validate import API_VERSION

_FREE_PATHS = ("/batch", "/batch/{batch_id}")


def list_endpoints(
    switches: Switches, *, path: str | None, category: str | None, status: str | None
) -> dict[str, Any]:
    """Return the endpoints that fit all filters; without any, an empty list, not an error."""
    rows = [_describe(endpoint, switches) for endpoint in BY_PATH.values()]
    rows += [
        {
            "path": free,
            "category": "Batch",
            "status": "enabled",
            "effective_rate_limit_rpm": _rpm(free, switches),
            "fields": {"enabled": [], "disabled": []},
        }
        for free in _FREE_PATHS
    ]
    if status != "enabled" and status is not None:
        status = switches.refused_word  # both words ask for the same
    wanted = {"path": path, "category": category, "status": status}
    return {
        "api_version": API_VERSION,
        "token_limit_rpm": switches.token_limit_rpm,
        "endpoints": [
            row
            for row in sorted(rows, key=lambda row: row["path"])
            if all(value is None or row[name] == value for name, value in wanted.items())
        ],
    }


def _describe(endpoint: Endpoint, switches: Switches) -> dict[str, Any]:
    enabled = endpoint.path not in switches.disabled_endpoints
    groups = [name for name in endpoint.fields if "." not in name]
    locked = [name for name in switches.denied_fields if name in endpoint.fields]
    return {
        "path": endpoint.path,
        "category": endpoint.entity.title(),
        "status": "enabled" if enabled else switches.refused_word,
        "effective_rate_limit_rpm": _rpm(endpoint.path, switches),
        "fields": {
            "enabled": [name for name in groups if enabled and name not in locked],
            "disabled": locked if enabled else groups,
        },
    }


def _rpm(path: str, switches: Switches) -> int:
    return switches.rate_limits_rpm.get(path, switches.rate_limit_rpm)
