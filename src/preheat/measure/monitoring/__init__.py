"""While it trains: what updates do to each layer, what looks wrong, and a file that holds it."""
