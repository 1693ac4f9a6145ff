"""The studio: a page on which a schedule is seen, bent and taken away. Python reads, evaluates, checks and prints.

preheat studio "warmup(5%) >> decay(shape=cosine)" --total 10k
"""
