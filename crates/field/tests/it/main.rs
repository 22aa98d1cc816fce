//! The publisher by its public face, with an uplink that takes everything and files that are good and bad.

mod files;
mod uplink;
