"""How well `preheat predict` predicts a real model: trained at one horizon, judged at 2.4 times that."""
