//! What must not compile, and what the compiler says then.

#[test]
fn each_mistake_gets_one_clear_error() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
