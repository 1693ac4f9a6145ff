"""What a run has logged and how it ended: written as lines, read from files that may be damaged, kept in bounded memory."""
