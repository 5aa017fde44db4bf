"""What the product promises about time and memory, measured."""
