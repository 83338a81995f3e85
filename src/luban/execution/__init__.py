"""Where work runs and for how long: deadlines, resources, worker processes."""
