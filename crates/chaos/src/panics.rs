//! Tasks that panic: the runtime only drops them, but here it is a failure.

use std::cell::RefCell;
use std::panic;
use std::sync::Once;

thread_local! {
    static FIRST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Remembers panics of every thread that runs a simulation from now on.
pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            FIRST.with(|first| first.borrow_mut().get_or_insert_with(|| info.to_string()).truncate(2_000));
            before(info);
        }));
    });
    FIRST.with(|first| *first.borrow_mut() = None);
}

/// The first panic of this thread since [`watch`].
pub(crate) fn first() -> Option<String> {
    FIRST.with(|first| first.borrow().clone())
}
