"""Monitoring: how long a window takes, how often it alarms for nothing, and what it finds."""
