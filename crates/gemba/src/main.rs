//! The gemba binary: command line, configuration, wiring. The only crate that knows everyone.
fn main() {}
