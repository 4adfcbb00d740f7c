"""The same jobs as a declarative source of airbyte-cdk: an AsyncRetriever, 5 jobs at a time.

Runs in a Python of its own that has airbyte-cdk (made with 7.39). Each slice is one full batch.
"""

import csv
import logging
import os
from typing import Any

from airbyte_cdk.models import (  # pyright: ignore[reportMissingImports]  # see above
    AirbyteStream,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    DestinationSyncMode,
    SyncMode,
)
from airbyte_cdk.sources.declarative.concurrent_declarative_source import (  # pyright: ignore[reportMissingImports]  # see above
    ConcurrentDeclarativeSource,
)

URL, KEY = os.environ["SLOTS_URL"], os.environ["SLOTS_KEY"]
JOB_ROWS = 300
HEADERS = {"authorization": f"Bearer {KEY}", "x-api-version": "2025-11-01"}


def requester(base: str, path: str, **more: Any) -> dict[str, Any]:
    return {"type": "HttpRequester", "url_base": base, "path": path, "http_method": "GET", **more}


def extractor(*path: str) -> dict[str, Any]:
    return {"type": "DpathExtractor", "field_path": list(path)}


def manifest(batches: list[str]) -> dict[str, Any]:
    retriever = {
        "type": "AsyncRetriever",
        "partition_router": {
            "type": "ListPartitionRouter",
            "cursor_field": "urls",
            "values": batches,
        },
        "creation_requester": requester(
            URL,
            "/batch/person/identify",
            http_method="POST",
            request_headers=HEADERS,
            # The vendor also takes identifiers as one string with commas in it.
            request_body_json={"professional_network_profile_urls": "{{ stream_partition.urls }}"},
        ),
        "polling_requester": requester(
            URL, "/batch/{{ creation_response['batch_id'] }}", request_headers=HEADERS
        ),
        "polling_job_timeout": 60,
        "status_extractor": extractor("status"),
        "status_mapping": {
            "type": "AsyncJobStatusMap",
            "running": ["pending", "processing"],
            "completed": ["completed"],
            "failed": ["failed"],
            "timeout": [],
        },
        "download_target_extractor": extractor("download_url"),
        "download_requester": requester("{{ download_target }}", ""),
        "download_decoder": {"type": "GzipDecoder", "decoder": {"type": "JsonlDecoder"}},
        "record_selector": {"type": "RecordSelector", "extractor": extractor()},
    }
    schema = {"type": "object", "additionalProperties": True, "properties": {}}
    return {
        "version": "7.39.1",
        "type": "DeclarativeSource",
        "max_concurrent_async_job_count": 5,
        "check": {"type": "CheckStream", "stream_names": ["identities"]},
        "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
        "streams": [
            {
                "type": "DeclarativeStream",
                "name": "identities",
                "retriever": retriever,
                "schema_loader": {"type": "InlineSchemaLoader", "schema": schema},
            }
        ],
    }


with open(os.environ["SLOTS_UPSTREAM"]) as file:  # noqa: PTH123 - a script of its own
    people = [row["profile_url"] for row in csv.DictReader(file)]
batches = [",".join(people[start : start + JOB_ROWS]) for start in range(0, len(people), JOB_ROWS)]
catalog = ConfiguredAirbyteCatalog(
    streams=[
        ConfiguredAirbyteStream(
            stream=AirbyteStream(
                name="identities", json_schema={}, supported_sync_modes=[SyncMode.full_refresh]
            ),
            sync_mode=SyncMode.full_refresh,
            destination_sync_mode=DestinationSyncMode.overwrite,
        )
    ]
)
source = ConcurrentDeclarativeSource(
    catalog=catalog, config={}, state=[], source_config=manifest(batches)
)
logger = logging.getLogger("airbyte")
print(sum(message.record is not None for message in source.read(logger, {}, catalog, [])))
