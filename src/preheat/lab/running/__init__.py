"""A trial under way: its process, the command that it may be, what ends it, and what is shown of it."""
