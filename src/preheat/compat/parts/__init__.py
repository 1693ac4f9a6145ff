"""What restatements are made of: a library and its schedulers by name, the value they give, curves that several share."""
