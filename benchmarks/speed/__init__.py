"""Speed: what `python -m benchmarks.step` measures."""
