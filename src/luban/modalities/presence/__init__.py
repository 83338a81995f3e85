"""What is there: values of any kind, and the words of texts."""
