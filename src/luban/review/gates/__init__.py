"""Gates: what a challenger must pass before it takes over; one file a gate, each an entry point of ``luban.gates``."""
