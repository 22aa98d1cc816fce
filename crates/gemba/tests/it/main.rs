//! The whole chain, with its real parts: processes, other people's servers, a real browser.

mod command_line;
mod kills;
mod page;
mod path;
mod reconnect;
mod support;
