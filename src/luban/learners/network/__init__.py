"""Small networks that learn from nothing, in minutes, without a graphics card."""
