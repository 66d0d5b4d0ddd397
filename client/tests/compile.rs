//! Code that must not compile, and the compiler's messages.

#[test]
fn each_mistake_gets_one_clear_error() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}

/// With the feature, because the compiler lists all possible types.
#[cfg(feature = "postgres")]
#[test]
fn what_is_no_command_of_the_store_is_named() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail_postgres/*.rs");
}
