//! Facts of the server.
