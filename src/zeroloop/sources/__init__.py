"""Where rows live; each source is one `reduce`."""
