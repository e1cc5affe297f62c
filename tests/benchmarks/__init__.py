"""Measurements on real data; `make bench` runs them. Not tests: they assert nothing."""
