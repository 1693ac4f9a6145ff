"""The site: `make docs` builds it from these pages and from the docstrings, without a network."""

import re
import sys
from pathlib import Path

import preheat

_OWN = Path(__file__).parent / "_ext"
sys.path.insert(0, str(_OWN))

project = "preheat"
author = "the preheat authors"
release = version = preheat.__version__

extensions = ["myst_parser", "sphinx_copybutton"]
extensions += sorted(
    path.stem for path in _OWN.glob("*.py") if re.search(r"^def setup\(", path.read_text(), re.MULTILINE)
)
exclude_patterns = ["_build", "_ext"]
suppress_warnings = ["toc.empty_glob"]  # a section of the navigation may wait for its first page
python_use_unqualified_type_names = True
nitpick_ignore_regex = [("py:.*", ".*")]  # types in signatures are words, not links

smartquotes = False  # what stands in quotes is mostly typed
myst_heading_anchors = 4  # the anchors that GitHub gives, so that a link to a section works in both places
myst_enable_extensions = ["dollarmath"]
pygments_style = "a11y-light"  # every colour stands out from its paper
pygments_dark_style = "github-dark"
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = "preheat"
html_static_path = ["_static"]
html_css_files = ["preheat.css"]
html_js_files = ["offline.js"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"footer_icons": [], "top_of_page_buttons": []}
