"""What finished runs say: differences and their intervals, grids, races, and the verdict that claims no more."""
