"""Where datasets and the disk disagree, and making them agree again."""
