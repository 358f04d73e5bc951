"""How sure the coefficients of an unpenalised fit are, and whether they exist at all; all of it from sums over rows."""
