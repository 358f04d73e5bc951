"""The article, runnable: two loops, one loop, no loop, and one fused sweep."""
