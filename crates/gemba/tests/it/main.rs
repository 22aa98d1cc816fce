//! The whole chain, with its real parts: processes, other people's servers, a real browser.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test speaks to its reader and may end at what should not be"
)]

mod bad_days;
mod command_line;
mod kills;
mod page;
mod path;
mod reconnect;
mod reload;
mod secrets;
mod support;
mod wide;
