"""Other libraries run beside their restatements in preheat.compat: every update of random runs."""
