//! The client against a real server: async-opcua's own, in this process, over loopback.

mod certificates;
mod chains;
mod cuts;
mod faults;
mod flow;
mod peers;
mod plant;
mod proxy;
mod security;
mod sink;
mod trusting;
