"""Pictures of schedules and runs."""
