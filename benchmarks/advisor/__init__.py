"""How good advice on warmup is: a grid of peaks × warmups that was really trained, and advice scored against it.

    python -m benchmarks.advisor grid --results FILE [--device cuda]    train what FILE does not hold yet
    python -m benchmarks.advisor score ADVICE --results FILE --out DIR  the report

`families` lists the trainings, `modular` is a task that only they use, `stacked` trains many runs at once, `grid` all cells.
"""
