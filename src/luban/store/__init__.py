"""All that lasts: rows that relate, and blobs named by their digest."""
