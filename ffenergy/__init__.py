"""Forward-Forward and backprop on MNIST, with every byte they move counted."""
