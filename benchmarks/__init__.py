"""How fast the study is: `python -m benchmarks [TOPIC ...]`, or `make bench`. docs/performance.md explains it."""
