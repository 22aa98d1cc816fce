//! ua
