"""NumPy arrays that write down every byte they move."""
