//! The client against a real server: async-opcua's own, in this process, over loopback.

mod cuts;
mod flow;
mod plant;
mod proxy;
mod security;
mod sink;
