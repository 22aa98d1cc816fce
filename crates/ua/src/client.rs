//! The client side: sessions, subscriptions, the hot decoder, trust.
