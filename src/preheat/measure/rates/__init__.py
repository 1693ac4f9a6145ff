"""Which rates a model stands.

critical: along one update, until its own loss rises; forgetting: until that of another task does. range_test: a training whose
rate grows, which suggesters read; swept: what several of them say together.
"""
