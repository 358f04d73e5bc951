"""Tables on the workers of a Dask cluster: read, fitted, scored and predicted there."""
