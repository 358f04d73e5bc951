"""zeroloop timed against its peers: the same data, the same objective, a process each. Run `make bench`."""
