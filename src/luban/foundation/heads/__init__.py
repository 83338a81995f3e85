"""What stands on a body: heads that make margins of vectors, and losses, one file a kind of task."""
