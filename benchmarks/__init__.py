"""The benchmarks: `make bench`. See README.md beside this file."""
