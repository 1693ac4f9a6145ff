"""Whether a training needs warmup, how long, and to which peak.

Measuring (`measuring`, `low_rate`, `trial`, which need torch) and deciding (`facts`, `outcome`, `deciding`, `constants`,
`rules`, plain Python on what was measured) are kept apart, so that every decision can be tried on made-up measurements.
"""
