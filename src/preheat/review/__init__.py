"""What will happen, said before it does: what a check finds, what a schedule does in sentences, and how two differ."""
