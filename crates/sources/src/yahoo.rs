//! Yahoo: stocks, funds, indices, and coins as a second source.
