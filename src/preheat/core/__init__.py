"""The language of schedules. It imports the standard library only."""
