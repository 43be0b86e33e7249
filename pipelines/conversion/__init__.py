"""Plans a conversion and carries it out: plan, shards, receipts and metadata."""
