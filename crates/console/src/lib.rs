//! The console: REST, log-in, live stream and the embedded page.
//!
//! Purpose: show people and scripts what the rooms know, and let in only who may see it.
//! Knows: HTTP (axum), users, sessions and tokens; the other rooms as `api` traits.
//! Does not know: TLS, sockets, files, or who implements a trait.

mod access;
mod auth;
mod blocking;
mod core;
mod error;
mod flow;
mod guard;
mod headers;
mod live;
mod openapi;
mod operator;
mod params;
mod rates;
mod routes;
mod shapes;
mod value;
mod web;

pub use crate::core::{Console, ConsoleParts, Ready, Transport};
pub use error::ApiError;
pub use openapi::openapi_json;
pub use operator::{create_token, create_user, first_start, first_start_link};
