//! A reconnect is never silent.
