"""How one service of ours calls another: keepalive, backoff, retries of reads.

A worker keeps one long-lived channel for all its calls.
"""

import json
from collections.abc import Iterable

import grpc

# grpc.http2.ping_timeout_ms is the one that ends a black-holed connection in seconds instead of a minute.
KEEPALIVE = {
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 2_000,
    "grpc.http2.ping_timeout_ms": 2_000,
    "grpc.keepalive_permit_without_calls": 1,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 2_000,  # how long connecting may take; at 100 ms a busy machine fails
    "grpc.max_reconnect_backoff_ms": 1_000,
    "grpc.max_receive_message_length": 64 * 1024 * 1024,  # 1,000 users with all their metadata
}

RETRY = {
    # Together 0.3 s. A connection that a closing or dying worker resets is made anew after 0.1 s: three were too few.
    "maxAttempts": 5,
    "initialBackoff": "0.02s",
    "maxBackoff": "0.2s",
    "backoffMultiplier": 2,
    # CANCELLED is what a draining server answers (grpc/grpc#41785). Reads only.
    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
}


def connect(address: str, retried_reads: Iterable[str], options: Iterable[tuple[str, object]] = ()) -> grpc.aio.Channel:
    """A channel to `host:port`; `retried_reads` are RPCs such as identity.v1.UserService/BatchGetUsers.

    Channels of a process share a connection, unless their `options` differ.
    """
    names = [dict(zip(("service", "method"), rpc.split("/"), strict=True)) for rpc in retried_reads]
    config = {
        "methodConfig": [{"name": names, "retryPolicy": RETRY}],
        # More than what is in flight to one worker as it dies; each failure costs one, at half none is tried again.
        "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
    }
    all_options = [*KEEPALIVE.items(), ("grpc.service_config", json.dumps(config)), *options]
    return grpc.aio.insecure_channel(address, options=all_options)
