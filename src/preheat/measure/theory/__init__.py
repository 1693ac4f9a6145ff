"""What follows from a schedule alone, without a model: the last-iterate bound, peaks and schedules that it gives, weights.

From below: last_iterate (the bound), transfer (a peak for another schedule or run), refining (the schedule for given gradient
norms); weights (what each update leaves in the end).
"""
