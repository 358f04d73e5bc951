"""Raw tables -> record batches -> schema -> blocks."""
