"""A library that is not installed is no failure: what needs it is skipped, and says so. `make parity` installs them."""

from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    try:
        return (yield)
    except ImportError as error:
        if str(error).endswith("is not installed"):
            pytest.skip(str(error))
        raise
