"""What a schedule does on its run, in sentences, a table and numbers."""
