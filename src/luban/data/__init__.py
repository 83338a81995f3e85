"""From a location to typed rows: sources, profile, clean, split, versions, the task."""
