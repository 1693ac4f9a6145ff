"""timm.scheduler without what stands around it: timm itself wants torchvision, its schedulers do not."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from unittest import mock

spec = importlib.util.find_spec("timm")
if spec is None or spec.origin is None:
    raise ImportError("timm is not installed")
_package = ModuleType("timm")
_package.__path__ = [str(Path(spec.origin).parent)]
with mock.patch.dict(sys.modules, {"timm": _package}):
    scheduler = importlib.import_module("timm.scheduler")
