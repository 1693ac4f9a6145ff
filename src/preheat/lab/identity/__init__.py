"""What makes a run the same run: its configuration, compared without writing secrets or the folders of the machine."""
