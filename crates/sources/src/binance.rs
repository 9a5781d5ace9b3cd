//! Binance: coins.
