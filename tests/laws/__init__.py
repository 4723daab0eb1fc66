"""Laws: what must hold for every covariance model, engine and instruction set. One law a file."""
