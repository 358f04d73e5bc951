"""One way to minimise an objective a file; none of them sees a row."""
