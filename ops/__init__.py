"""Running it: command line, audit, benchmarks."""
