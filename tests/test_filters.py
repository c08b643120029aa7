"""Filters: what they leave out, in which order, and that a filter that can't be evaluated lets nothing through."""

import pytest

from integrations import filters
from integrations.types import Cause, FilterRule, NotSent

EVENT = {
    "event": "Button Clicked",
    "type": "track",
    "messageId": "m-1",
    "userId": "u-1",
    "context": {"library": {"name": "analytics.js", "version": "1.0"}, "ip": "1.2.3.4"},
    "properties": {
        "features": ["discounts", "dark-mode"],
        "product 1": {"price": "19.99"},
        "a.b": "dotted",
        "total": 40,
        "ratio": 1.0,
        "enabled": True,
        "disabled": False,
        "nothing": None,
        "plan": "free",
        "mixed": [1, True, "1", None],
        "products": [{"sku": "a", "price": 1}, {"sku": "b", "price": 2, "size": {"w": 1, "h": 2}}, "loose"],
    },
}


def rule(action: str, condition: str = "all", **more) -> FilterRule:
    return FilterRule(condition=condition, action=action, **more)


def refused(*rules: FilterRule, event: dict = EVENT) -> str:
    with pytest.raises(NotSent) as caught:
        filters.apply(rules, event)
    assert caught.value.cause is Cause.FILTERED
    return caught.value.detail


def test_without_a_match_the_payload_is_returned_itself() -> None:
    rules = (rule("drop", "type = 'page'"), rule("drop_properties", fields={"properties": ["absent"], "traits": ["x"]}))
    assert filters.apply(rules, EVENT) is EVENT


def test_drop_and_only_send_name_the_filter() -> None:
    assert refused(rule("drop", "properties.plan = 'free'")) == (
        "Left out by the filter “drop when properties.plan = 'free'”."
    )
    assert refused(rule("only_send", "type = 'page'")) == "Left out by the filter “only send when type = 'page'”."
    assert refused(rule("drop")) == "Left out by the filter “drop everything”."
    assert filters.apply((rule("only_send", "type = 'track'"), rule("only_send")), EVENT) is EVENT


@pytest.mark.parametrize("action", ["drop", "only_send", "sample", "drop_properties", "allow_properties"])
def test_every_action_fails_closed(action: str) -> None:
    detail = refused(rule(action, "properties.plan > 3", fields={"": ["userId"]}))
    assert detail.endswith("could not be evaluated: properties.plan is a string, where a number is needed.")
    detail = refused(rule(action, "event = 'a' or", fields={"": ["userId"]}))
    assert detail.endswith("when event = 'a' or” could not be evaluated: the condition ends too early.")


def test_an_unknown_action_or_a_field_list_that_makes_no_sense_fails_closed() -> None:
    assert refused(rule("explode")) == "The filter “explode” could not be evaluated: there is no action “explode”."
    assert "could not be evaluated: it names no fields" in refused(rule("drop_properties"))
    assert "are not a list of names" in refused(rule("drop_properties", fields={"properties": "plan"}))
    assert "a number from 0 to 1 is needed" in refused(rule("sample", percent=10))
    assert "a number from 0 to 1 is needed" in refused(rule("sample", percent=float("nan")))


def test_properties_are_dropped_from_a_copy() -> None:
    before = repr(EVENT)
    fields = {"": ["userId", "messageId", "type"], "properties": ["plan", "absent"], "context.library": ["version"]}
    result = filters.apply((rule("drop_properties", "type = 'track'", fields=fields),), EVENT)
    assert repr(EVENT) == before
    assert result == {
        "event": "Button Clicked",
        "type": "track",
        "messageId": "m-1",
        "context": {"library": {"name": "analytics.js"}, "ip": "1.2.3.4"},
        "properties": {key: value for key, value in EVENT["properties"].items() if key != "plan"},
    }
    assert result["properties"]["products"] is EVENT["properties"]["products"]


@pytest.mark.parametrize(
    "fields",
    [{"properties.products": ["price"]}, {"properties": ["products.price"]}, {"": ["properties.products.price"]}],
)
def test_a_key_is_dropped_from_each_object_of_a_list(fields: dict) -> None:
    result = filters.apply((rule("drop_properties", fields=fields),), EVENT)
    assert result["properties"]["products"] == [{"sku": "a"}, {"sku": "b", "size": {"w": 1, "h": 2}}, "loose"]
    assert EVENT["properties"]["products"][0] == {"sku": "a", "price": 1}


def test_a_name_with_a_dot_can_be_dropped_too() -> None:
    result = filters.apply((rule("drop_properties", fields={"properties": ["a.b"]}),), EVENT)
    assert "a.b" not in result["properties"]
    result = filters.apply((rule("drop_properties", fields={"properties": [r"a\.b"]}),), EVENT)
    assert "a.b" not in result["properties"]


def test_only_the_allowed_properties_stay() -> None:
    fields = {"properties": ["plan", "products.sku", "total.part"], "traits": ["email"]}
    result = filters.apply((rule("allow_properties", fields=fields),), EVENT)
    assert result == {**EVENT, "properties": {"plan": "free", "products": [{"sku": "a"}, {"sku": "b"}]}}
    result = filters.apply((rule("allow_properties", fields={"": ["event"]}),), EVENT)
    assert result == {"event": "Button Clicked", "type": "track", "messageId": "m-1"}


def test_drop_properties_come_before_allow_properties_and_see_the_event_as_it_came() -> None:
    rules = (
        rule("allow_properties", "properties.plan = 'free'", fields={"properties": ["plan", "total"]}),
        rule("drop_properties", fields={"properties": ["plan"]}),
    )
    assert filters.apply(rules, EVENT)["properties"] == {"total": 40}


def test_sampling_comes_first_and_is_the_same_for_the_same_value() -> None:
    assert (
        refused(rule("drop"), rule("sample", percent=0)) == "The filter “keep 0 % of the events” did not pick this one."
    )
    assert filters.apply((rule("sample", percent=1),), EVENT) is EVENT
    assert filters.apply((rule("sample", "type = 'page'", percent=0),), EVENT) is EVENT

    def picked(path: str, **changes) -> bool:
        try:
            return bool(filters.apply((rule("sample", percent=0.5, path=path),), {**EVENT, **changes}))
        except NotSent:
            return False

    by_user = [picked("userId", userId=f"u{number}") for number in range(2000)]
    assert 900 < sum(by_user) < 1100
    assert by_user == [picked("userId", userId=f"u{n}", messageId=f"other{n}") for n in range(2000)]
    by_message = [picked("", messageId=f"m{number}") for number in range(2000)]
    assert 900 < sum(by_message) < 1100
    assert by_message == [picked("properties.missing", messageId=f"m{number}") for number in range(2000)]


def test_an_event_nested_too_deeply_for_a_field_filter_is_not_sent() -> None:
    deep: list = [{"secret": 1}]
    for _ in range(5_000):
        deep = [deep]
    detail = refused(rule("drop_properties", fields={"properties": ["a.secret"]}), event={"properties": {"a": deep}})
    assert detail.endswith("could not be evaluated: the event is nested too deeply.")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (rule("drop", "type = 'track'"), ""),
        (rule("sample", percent=0.1, path="userId"), ""),
        (rule("drop_properties", fields={"": ["userId"]}), ""),
        (
            rule("explode"),
            "there is no action “explode”; there are sample, drop, only_send, drop_properties, allow_properties",
        ),
        (rule("sample", percent=1.5), "the share to keep is 1.5, where a number from 0 to 1 is needed"),
        (rule("sample", path="a..b"), "“a..b” is not a field path: a name is missing beside a dot"),
        (rule("allow_properties"), "it names no fields"),
        (rule("drop", "type ="), "the condition ends too early"),
    ],
)
def test_rule_problems(made: FilterRule, words: str) -> None:
    assert filters.rule_problems(made) == words


def test_problems_of_something_that_is_no_text() -> None:
    assert filters.problems(None) == "the condition is not a text"
    assert filters.problems("all") == ""


@pytest.mark.parametrize(
    ("condition", "hint"),
    [
        ("score > 5", "Events have no score of their own: is properties.score meant, or traits.score?"),
        ("type = 'track' and user.plan = 'x'", "Events have no user of their own: is properties.user.plan meant, or"),
        ("length(items) > 1", "Events have no items of their own: is properties.items meant, or traits.items?"),
        ("properties.score > 5 and userId != null and contains(traits.email, '@')", ""),
        ("event = 'A' and context.ip = '1.2.3.4' and !(timestamp = null)", ""),
        ("all", ""),
        ("score >", ""),  # cannot be read: said elsewhere
        ("", ""),
    ],
)
def test_a_condition_on_what_events_do_not_have_is_hinted_at(condition: str, hint: str) -> None:
    found = filters.hint(condition)
    assert found.startswith(hint)
    assert bool(found) == bool(hint)
