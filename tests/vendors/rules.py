"""What every vendor must keep."""

from __future__ import annotations

from tests.vendors import rules_of_behaviour as behaviour
from tests.vendors import rules_of_the_file as file
from tests.vendors.subject import Rule

RULES: tuple[Rule, ...] = (
    file.is_documented,
    file.is_pure,
    file.settings_explain_themselves,
    file.addresses_are_named_and_bounded,
    file.has_cases,
    behaviour.every_failure_has_a_cause,
    behaviour.answers_never_raise,
    behaviour.secrets_stay_in_their_place,
    behaviour.the_test_event_builds,
    behaviour.nothing_is_changed,
    behaviour.only_words_for_odd_events,
    behaviour.only_words_for_odd_documents,
    file.the_way_in_is_explained,
    file.the_batch_is_one_json_document,
)
