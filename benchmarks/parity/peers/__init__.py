"""One module a library: how it is run. Each has PEER, its name in preheat.compat, VERSION, that of what runs, and CASES.

A module whose library is not installed raises ImportError when it is imported.
"""
