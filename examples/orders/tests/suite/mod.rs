//! The suite of the service, for any store. [`suite!`] makes a test of each of its functions.

pub(crate) mod books;
pub(crate) mod changes;
pub(crate) mod crash;
pub(crate) mod errors;
pub(crate) mod fulfilment;
pub(crate) mod headers;
pub(crate) mod lists;
pub(crate) mod live;
pub(crate) mod operations;
pub(crate) mod panics;
pub(crate) mod partners;
pub(crate) mod support;

/// A test for each function of the suite, on the ground that the expression makes.
macro_rules! suite {
    ($ground:expr) => {
        suite!(@tests $ground;
            books::the_stock_is_the_same_in_the_next_book,
            changes::an_order_is_created_with_its_items_in_one_append,
            changes::a_wrong_item_leaves_nothing_behind,
            changes::items_are_added_changed_and_removed,
            changes::an_order_is_submitted_once,
            changes::a_submitted_order_keeps_its_items,
            changes::an_order_is_cancelled,
            crash::a_fulfilment_that_is_interrupted_anywhere_ends_once,
            errors::every_route_says_what_is_wrong_with_a_request,
            errors::what_does_not_exist_is_not_found,
            errors::a_problem_has_its_details_and_the_id_of_its_request,
            fulfilment::an_order_is_fulfilled,
            fulfilment::a_refused_step_is_compensated,
            fulfilment::an_order_is_fulfilled_once,
            fulfilment::the_last_pieces_are_reserved_once,
            panics::a_panic_in_a_fulfilment_ends_no_runner,
            partners::an_order_that_is_cancelled_on_its_way_is_undone,
            partners::partners_that_fail_and_lose_answers_change_no_outcome,
            headers::a_request_with_a_key_happens_once,
            headers::requests_with_one_key_at_once_make_one_order,
            headers::a_key_is_not_used_for_two_requests,
            headers::an_order_is_changed_at_the_version_that_the_caller_knows,
            headers::the_id_of_a_request_is_the_correlation_id_of_its_events,
            lists::a_list_includes_what_was_written_before,
            lists::orders_are_listed_in_pages,
            lists::customers_and_products_are_counted,
            lists::a_rebuild_changes_nothing_and_is_not_noticed,
            live::live_updates_go_on_after_the_last_event_id,
            live::live_updates_of_one_order_are_its_events,
            live::a_position_from_another_history_is_reset,
            operations::the_service_shows_its_health_metrics_and_document,
            operations::sample_data_fills_the_shop,
            operations::requests_under_way_are_answered_before_the_end,
        );
    };
    (@tests $ground:expr; $($module:ident::$test:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            $crate::suite::$module::$test($ground).await;
        })*
    };
}
