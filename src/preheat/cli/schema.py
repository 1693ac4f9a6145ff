"""`preheat schema`: what schedules, plans and rules are as data, for an editor or a check before the run."""

import json
from typing import Literal

from preheat.core.text.schema import schema as schedules_schema
from preheat.session.schema import rules_schema


def schema(what: Literal["schedules", "rules"] = "schedules", /) -> None:
    """Print the JSON Schema of schedules and plans as data, or of rules.

    Try:

        preheat schema > schedule.schema.json
        preheat schema rules > rules.schema.json

    It is JSON Schema 2020-12, of what preheat.to_dict gives and preheat.from_dict
    takes, and what rules= takes. A schedule as text is not data: preheat show reads
    it, and says in which column it is wrong.

    Parameters
    ----------
    what
        schedules, which plans are made of, or rules.
    """
    print(json.dumps(schedules_schema() if what == "schedules" else rules_schema(), indent=2))
