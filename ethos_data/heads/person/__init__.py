"""What a person looks like apart from the shape of the head: colours, hair, clothes."""
