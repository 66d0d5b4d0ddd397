//! What must not compile, and what the compiler says then.

#[test]
fn each_mistake_gets_one_clear_error() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}

/// With the feature, as the compiler lists all that it might have been.
#[cfg(feature = "postgres")]
#[test]
fn what_is_no_command_of_the_store_is_named() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail_postgres/*.rs");
}
