"""One page about a model: what was asked of which data, how good it is, and what it says."""
