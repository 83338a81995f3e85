"""The loop that keeps a model good: rows that are new, a challenger, the gates, the promotion, under a lease."""
