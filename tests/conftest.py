"""How the property tests run: the same examples in CI every time, more and fresh ones when asked for.

HYPOTHESIS_PROFILE=search looks for new failures; =quick is for a first glance.
"""

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent / "laws"))  # the strategies, for laws and core alike

_COMMON = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
}
settings.register_profile("laws", max_examples=500, derandomize=True, **_COMMON)
settings.register_profile("search", max_examples=5000, **_COMMON)
settings.register_profile("quick", max_examples=50, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "laws"))
