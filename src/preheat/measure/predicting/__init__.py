"""What another schedule would have given: laws of loss curves, fitted to runs that were logged.

From below: blocks (a run's rates, few enough to sum over), laws (how the loss depends on them), fitting, runs (what was
logged), guards (what cannot be known from them), prediction (the answer), predict.
"""
