"""A local web for the tests of fetching."""

from collections.abc import Iterator

import pytest

from tests.support.local_site import LocalSite, local_site


@pytest.fixture
def site() -> Iterator[LocalSite]:
    with local_site() as opened:
        yield opened
