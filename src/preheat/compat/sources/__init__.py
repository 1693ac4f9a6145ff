"""What a schedule is read from beside a file: expressions, states, live schedulers, any function."""
