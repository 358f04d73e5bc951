"""The commands of `zeroloop`, a group a file; each parses, calls and prints."""
