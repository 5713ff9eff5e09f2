"""Station 4, write: samples into tars with an index, and the reading of finished shards."""
