//! The server side: an address space of variables and methods with kept handles.
