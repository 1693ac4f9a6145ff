"""What the tests of all frameworks share: their own warnings about themselves are not ours."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "frameworks" in item.path.parts:
            for foreign in ("ignore", "error::preheat.PreheatWarning"):
                item.add_marker(pytest.mark.filterwarnings(foreign), append=False)
