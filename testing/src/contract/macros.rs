//! The macros that list the tests, one for each trait of a store.

/// Runs every test of the contract of `EventStore` on stores that `$fresh` makes: an `async
/// fn(name: &str)` that returns an empty store, which must be `Clone + 'static`. The argument is
/// the name of the test.
#[macro_export]
macro_rules! event_store_contract {
    ($fresh:path) => {
        $crate::contract_tests! { $fresh;
            versions {
                versions_are_gapless_per_stream_and_positions_rise_over_all,
                the_events_of_an_append_are_recorded_at_one_time_and_in_the_order_sent,
                a_bad_event_among_good_ones_keeps_all_of_them_from_being_written,
                a_stream_that_is_only_checked_is_checked_and_its_version_is_returned,
                without_events_an_append_only_checks,
                the_versions_of_streams_come_in_the_order_asked_for,
                the_safe_position_follows_what_is_written,
            }
            conflicts {
                every_kind_of_expected_version_holds_where_it_should_and_nowhere_else,
                all_conflicts_are_reported_at_once_and_nothing_is_written,
                a_thousand_conflicts_are_reported_too,
                after_a_conflict_the_same_events_can_be_written_where_the_stream_is_now,
            }
            malformed {
                an_event_for_a_stream_that_is_not_declared_is_refused,
                an_undeclared_stream_is_reported_before_conflicts,
                a_stream_twice_or_none_or_too_many_are_refused,
                an_event_id_twice_is_refused,
                a_payload_of_null_or_with_u0000_is_refused,
                values_that_cannot_be_stored_are_reported_before_anything_else,
                an_expected_version_that_no_stream_can_have_is_refused,
                a_read_of_a_stream_twice_or_of_too_many_is_refused,
                a_filter_of_more_than_a_thousand_elements_or_with_u0000_is_refused,
            }
            repeat {
                the_same_append_again_returns_the_first_result_and_writes_nothing,
                a_repeat_in_a_stream_that_was_not_empty_is_recognised,
                an_unchecked_append_is_recognised_until_100_events_came_after_it,
                the_same_ids_with_other_content_are_refused_and_named,
                the_same_ids_in_another_order_are_a_mismatch,
                an_id_in_use_in_another_stream_is_not_looked_for,
                the_order_of_keys_makes_no_difference_to_a_repeat,
                a_check_without_events_is_made_again_each_time,
            }
            fields {
                every_field_comes_back_by_every_way_to_read,
                what_was_not_given_is_not_there,
                each_event_of_an_append_has_its_own_metadata,
                event_ids_are_kept_as_they_are,
                events_are_recorded_about_now_and_in_order,
            }
            limits {
                names_that_are_empty_too_long_or_have_control_characters_cannot_be_made,
                names_of_255_bytes_and_of_any_letters_are_kept_letter_by_letter,
                an_append_may_declare_a_thousand_streams_and_write_all,
                an_append_may_have_ten_thousand_events,
                every_json_value_but_null_is_kept,
                metadata_is_nested_as_deep_as_it_can_be_read_and_no_deeper,
                whole_numbers_are_kept_digit_by_digit,
                fractions_are_kept_to_the_last_bit,
            }
            read {
                a_stream_is_read_forward_and_backward_from_a_version_on_up_to_a_limit,
                a_stream_is_read_by_event_type,
                a_stream_is_read_page_by_page_forward_and_backward,
                several_streams_are_read_in_the_order_given_each_after_its_version,
                several_streams_are_read_by_event_type_and_from_beyond_their_end,
            }
            read_all {
                all_events_are_read_forward_and_backward_from_a_position_on,
                all_events_are_read_page_by_page_also_while_more_come,
                a_read_without_a_limit_returns_a_thousand_events,
                events_are_filtered_by_prefix_and_by_type_and_by_both,
                what_other_languages_take_for_wildcards_are_letters_in_a_prefix,
            }
            decode {
                an_event_of_an_unknown_type_is_an_error_that_names_the_type,
                an_event_of_another_shape_is_an_error_that_names_the_type_and_the_reason,
                events_and_metadata_are_read_as_types_of_the_callers,
            }
            race {
                of_writers_at_the_same_version_of_a_stream_exactly_one_is_written,
                appends_that_cross_do_not_hinder_one_another,
                two_that_each_check_what_the_other_writes_are_not_both_written,
                of_the_same_append_sent_by_many_at_once_one_is_written_and_all_get_its_answer,
                commands_in_a_crowd_lose_no_cent_and_overdraw_nothing,
                an_append_that_is_dropped_is_written_as_a_whole_or_not_at_all,
            }
            order {
                a_reader_of_all_events_misses_none_while_others_write,
                a_reader_with_a_filter_misses_none_while_others_write,
                nothing_appears_at_or_before_the_safe_position,
            }
            random {
                random_appends_reads_and_commands_agree_with_a_model,
            }
        }
    };
}

/// Runs every test of the contract for stores that keep snapshots, like
/// [`event_store_contract!`](crate::event_store_contract).
#[macro_export]
macro_rules! snapshot_contract {
    ($fresh:path) => {
        $crate::contract_tests! { $fresh;
            snapshots {
                a_snapshot_is_read_with_what_came_after_it,
                a_snapshot_belongs_to_its_name_and_its_streams_in_their_order,
                a_snapshot_gives_way_to_one_that_holds_as_much_of_every_stream,
                a_snapshot_that_cannot_be_is_refused_and_named,
                a_state_with_u0000_is_refused_and_any_other_is_kept,
                commands_with_snapshots_in_a_crowd_decide_as_those_without,
                a_command_goes_on_from_a_snapshot_and_keeps_one,
                a_command_on_a_snapshot_notices_that_its_streams_have_moved,
            }
        }
    };
}

/// Runs every test of the contract of `EventSubscription`, like
/// [`event_store_contract!`](crate::event_store_contract).
#[macro_export]
macro_rules! event_subscription_contract {
    ($fresh:path) => {
        $crate::contract_tests! { $fresh;
            fields {
                every_field_comes_back_by_a_subscription,
            }
            order {
                subscriptions_miss_nothing_while_others_write,
            }
            subscribe {
                a_subscription_catches_up_and_goes_on_with_what_comes,
                a_subscription_to_an_empty_store_waits_for_its_first_event,
                a_subscription_goes_on_where_another_one_ended,
                a_subscription_after_a_position_that_the_store_never_returned_ends_with_an_error,
                a_subscription_hands_out_what_its_filter_lets_through,
                dropping_the_future_of_the_next_event_loses_none,
                every_subscription_sees_everything,
                a_subscription_with_a_filter_of_more_than_a_thousand_elements_is_refused,
            }
            follow {
                events_are_decoded_and_what_cannot_be_is_named_and_passed_over,
                caught_up_comes_after_the_last_event_and_fell_behind_when_more_than_a_page_is_left,
                a_store_without_matching_events_is_caught_up_with_at_once,
            }
        }
    };
}

/// Runs every test of the contract of `SubscriptionStore`, like
/// [`event_store_contract!`](crate::event_store_contract).
#[macro_export]
macro_rules! subscription_store_contract {
    ($fresh:path) => {
        $crate::contract_tests! { $fresh;
            durable {
                a_subscription_is_created_once_and_with_one_definition,
                what_is_not_there_has_no_subscription_functions,
                events_are_leased_in_order_and_are_gone_when_they_are_acknowledged,
                a_stream_is_out_with_one_lease_at_a_time,
                a_subscription_starts_where_it_is_defined_to_and_delivers_matching_events,
                an_expired_lease_goes_to_another_consumer_and_an_extended_one_does_not,
                an_acknowledgement_counts_after_the_lease_until_another_consumer_has_the_event,
                acknowledging_what_the_lease_does_not_hold_acknowledges_nothing,
                a_paused_subscription_delivers_nothing_until_it_is_resumed,
                a_reset_takes_all_leases_and_delivers_again,
                a_poll_waits_for_an_event_and_for_a_retry_that_is_due,
            }
            give_back {
                what_is_given_back_takes_the_later_events_of_its_stream_with_it,
                a_release_is_no_failure_and_a_skipped_event_is_done,
                an_event_that_fails_too_often_is_parked_and_can_be_replayed_or_discarded,
                a_stream_that_stops_waits_for_its_parked_event,
                only_a_retry_can_be_delayed,
            }
            set_aside {
                an_event_that_waits_is_set_aside_and_replayed,
                a_stream_that_stops_waits_for_an_event_that_was_set_aside,
                what_an_expired_lease_holds_is_set_aside,
                what_is_leased_done_or_was_never_delivered_is_not_set_aside,
            }
            consume {
                a_consumer_hands_out_events_in_order_and_none_twice_that_is_done,
                what_is_given_back_is_not_handed_out_from_the_same_batch,
                a_delivery_without_an_answer_is_a_failure,
                what_cannot_be_decoded_is_an_error_and_parked_in_the_end,
                a_consumer_that_is_closed_or_dropped_gives_back_what_it_has,
                a_lease_is_kept_while_a_handler_works,
                a_handler_that_fails_gets_the_event_again_with_its_reason_on_record,
                a_delivery_is_void_when_its_lease_has_gone_to_another,
                a_consumer_of_an_unknown_subscription_gets_an_error,
                what_a_consumer_has_is_void_after_a_reset,
                a_very_short_lease_does_not_keep_a_consumer_from_its_events,
            }
            consume_many {
                many_consumers_answer_each_event_once_and_each_stream_in_order,
            }
        }
    };
}

/// Runs every test of process managers on a `SubscriptionStore`, like
/// [`event_store_contract!`](crate::event_store_contract).
#[macro_export]
macro_rules! process_manager_contract {
    ($fresh:path) => {
        $crate::contract_tests! { $fresh;
            process {
                an_order_is_fulfilled_step_by_step,
                a_rejected_command_is_reported_and_earlier_steps_can_be_undone,
                a_timeout_arrives_after_its_time_even_if_no_runner_ran_in_between,
                a_runner_wakes_up_for_an_event_and_for_a_timeout,
                what_is_delivered_again_leads_to_nothing_new,
                all_commands_of_a_reaction_are_executed_then_rejections_arrive_in_order,
                a_process_that_has_ended_takes_nothing_any_more,
                a_command_that_fails_stops_its_process_alone_until_it_works_again,
                a_manager_that_reacts_in_another_way_when_asked_again_is_found_out,
                a_process_that_answers_each_rejection_with_another_is_stopped,
                an_event_of_another_type_is_reported_and_given_back,
                a_manager_without_a_filter_passes_over_what_managers_write,
                names_that_do_not_fit_are_refused,
            }
            process_faults {
                a_runner_that_dies_before_or_after_any_call_loses_and_repeats_nothing,
                a_call_that_fails_or_whose_answer_is_lost_is_made_good_by_the_same_runner,
                a_runner_that_dies_between_rejections_goes_on_with_the_next,
            }
            process_many {
                many_runners_of_a_manager_do_each_thing_once,
                triggers_of_one_process_from_many_streams_are_taken_one_after_the_other,
                a_lease_that_runs_out_while_a_command_runs_does_not_let_it_run_twice,
            }
        }
    };
}

/// Runs every test of the contract of `ProjectionStore`. `$fresh` returns a store, and a
/// [`Book`](crate::contract::Book) that the projections of the tests write to.
#[macro_export]
macro_rules! projection_store_contract {
    ($fresh:path) => {
        $crate::contract_tests! { $fresh;
            project {
                every_event_takes_effect_once_over_many_runs,
                an_event_that_is_refused_stops_the_projection_before_its_batch,
                an_event_that_cannot_be_decoded_stops_the_projection,
                a_projection_that_is_dropped_has_committed_whole_batches,
                a_projection_without_a_valid_name_does_not_run,
                a_checkpoint_passes_over_events_that_do_not_match,
            }
            project_many {
                two_runners_of_a_projection_let_each_event_take_effect_once,
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! contract_tests {
    ($fresh:path; $($module:ident { $($test:ident,)* })*) => {
        $($(
            #[test]
            fn $test() {
                $crate::contract::run(async {
                    let store = $fresh(stringify!($test)).await;
                    $crate::contract::$module::$test(&store).await;
                });
            }
        )*)*
    };
}
