//! The committed description is the one that the handlers have.

use expect_test::expect_file;

/// `UPDATE_EXPECT=1 cargo test -p gemba-console --test it openapi` writes it anew.
#[test]
fn the_committed_document_is_that_of_the_handlers() {
    expect_file!["../../../../openapi/gemba-v1.json"].assert_eq(&gemba_console::openapi_json());
}
