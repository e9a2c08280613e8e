"""Where bytes rest: atomic files and their hashes, objects in S3-compatible storage, and the local cache of shards."""
