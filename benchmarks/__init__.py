"""Speed beside the peers: interleaved in one process, medians of many rounds, as ratios. Run by `make bench`."""
