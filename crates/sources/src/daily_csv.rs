//! Daily bars as plain CSV over HTTP: the second source of stocks.
