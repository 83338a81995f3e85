"""What stands on a body: heads that turn vectors into margins, and the losses they learn by, one file a kind of task."""
