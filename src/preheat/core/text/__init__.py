"""Schedules as text and as plain data, both ways."""
