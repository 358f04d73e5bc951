"""The article, runnable: two loops, one, none, tiles, and one fused sweep; the race; the reader's own gradient."""
