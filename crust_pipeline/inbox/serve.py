"""Runs the inbox until it is told to end."""

import socket
import sys

import uvicorn

from crust_pipeline.inbox.app import RequestLimits, build_app
from crust_pipeline.inbox.connections import CONNECTIONS_AT_ONCE, BoundedConnection
from crust_pipeline.inbox.store import Store


def serve(store: Store, *, host: str, port: int, limits: RequestLimits | None = None) -> None:
    """Serve until SIGINT or SIGTERM; print the address first.

    Args:
        store: keeps what comes.
        host: where to listen.
        port: its port; 0: a free one.
        limits: what requests may take.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=2048) as listener:
        shown = f"[{host}]" if ":" in host else host
        sys.stdout.write(f"http://{shown}:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        config = uvicorn.Config(
            build_app(store, limits=limits),
            http=BoundedConnection,
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,  # its lines would hold the tokens
            limit_concurrency=CONNECTIONS_AT_ONCE,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=5,
        )
        uvicorn.Server(config).run(sockets=[listener])
