"""How noisy gradients are, and which batch follows.

two_batch (the estimator, from norms of gradients of two batch sizes) carries scale (measured aside), meter (while a model
trains) and batch_size (two ways to the critical batch).
"""
