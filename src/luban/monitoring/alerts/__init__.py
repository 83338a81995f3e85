"""Alerts: who is told, and how, when a monitored figure crosses a limit."""
