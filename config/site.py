"""The console: Django's admin site in product words, with short addresses, our own navigation and our own pages.

Made Django's default admin site (``config.apps``), so that apps register with plain ``@admin.register``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite, ModelAdmin
from django.http import HttpRequest
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, URLPattern, URLResolver, include, path, re_path, reverse
from django.utils.text import capfirst

from deliveries import limits

# The admin would say /integrations/connector/: an address is read by people too.
SHORT = {
    "integrations/connector/": "connectors/",
    "integrations/source/": "sources/",
    "integrations/regionendpoint/": "addresses/",
    "deliveries/delivery/": "deliveries/",
    "deliveries/event/": "events/",
    "deliveries/replay/": "replays/",
    "deliveries/problem/": "problems/",
    "deliveries/alertrule/": "alerts/",
    "integrations/change/": "history/",
    "config/user/": "people/",
    "config/apitoken/": "tokens/",
}

# Pages of other packages that have no place here: groups mean nothing beside roles, and the broker's table is there
# only without Redis and says nothing that the background jobs do not say.
LEFT_OUT = ("auth.group", "django_q.ormq")


@dataclass(frozen=True, kw_only=True)
class Link:
    """A line of the navigation. ``permission``: who sees it; "" is everybody who is signed in."""

    label: str
    view: str
    permission: str = ""


NAVIGATION: tuple[tuple[str, tuple[Link, ...]], ...] = (
    ("", (Link(label="Overview", view="index"),)),
    (
        "Traffic",
        (
            Link(label="Deliveries", view="deliveries_delivery_changelist"),
            Link(label="Problems", view="deliveries_problem_changelist"),
            Link(label="Replays", view="deliveries_replay_changelist"),
            Link(label="Events received", view="deliveries_event_changelist"),
            Link(label="Event names", view="events_seen"),
            Link(label="Find a person", view="journey", permission="integrations.operate_connector"),
            Link(label="Books", view="books"),
        ),
    ),
    (
        "Connections",
        (
            Link(label="Connectors", view="integrations_connector_changelist"),
            Link(label="Sources", view="integrations_source_changelist"),
            Link(label="Service addresses", view="integrations_regionendpoint_changelist"),
        ),
    ),
    (
        "Settings",
        (
            Link(label="Alerts", view="deliveries_alertrule_changelist"),
            Link(label="History", view="integrations_change_changelist"),
            Link(label="People", view="config_user_changelist", permission="config.view_user"),
            Link(label="API tokens", view="config_apitoken_changelist", permission="config.view_apitoken"),
            Link(label="Background jobs", view="jobs", permission="django_q.view_schedule"),
            Link(label="Settings", view="settings"),
        ),
    ),
)


class JobsPages:
    """django-q2's own lists: nothing to press on them, and their title says what is listed."""

    actions = None

    def changelist_view(self: Any, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        context = {"title": capfirst(self.opts.verbose_name_plural), **(extra_context or {})}
        return super().changelist_view(request, context)  # type: ignore[misc]  # a ModelAdmin's


class ConsoleSite(AdminSite):
    site_header = "Signalbox"
    site_title = "Signalbox"
    index_title = "Overview"
    index_template = "console/overview.html"
    password_change_done_template = "console/password_done.html"  # noqa: S105  # the name of a file
    enable_nav_sidebar = False
    site_url = None

    @property
    def login_form(self) -> Any:  # type: ignore[override]  # imports models, which a site may not do at module level
        from config.signin import SignInForm

        return SignInForm

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        models: list[Any] = [model_or_iterable] if isinstance(model_or_iterable, type) else list(model_or_iterable)
        for model in models:
            if model._meta.label_lower in LEFT_OUT:
                continue
            if model._meta.app_label == "django_q":  # its action queues a job again, whoever presses it
                admin_class = type("JobsAdmin", (JobsPages, admin_class or ModelAdmin), {})
            super().register(model, admin_class, **options)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Every page of the console passes here: none opens to somebody who owes the rule a second step."""
        from config import twostep

        guarded = super().admin_view(view, cacheable)

        @wraps(guarded)
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if self.has_permission(request) and twostep.closed(request):
                return redirect("admin:two_step")
            return guarded(request, *args, **kwargs)

        return inner

    def get_urls(self) -> list[URLPattern | URLResolver]:
        from config import configuration_page, invited, setup, twostep
        from config import installation as console
        from deliveries.admin import books, erasing, events, jobs, journey, names, practice

        own: list[URLPattern | URLResolver] = [
            re_path(r"^setup/(?P<token>[\w-]+)/?$", setup.setup, name="setup"),
            path("invited/<uidb64>/<token>/", invited.ChoosePassword.as_view(), name="invited"),
            path("sources/<int:pk>/first/", self.admin_view(events.first_of_source), name="source_first"),
            path("settings/", self.admin_view(console.page), name="settings"),
            path("settings/console/", self.admin_view(console.save_console), name="settings_console"),
            path("settings/export/", self.admin_view(configuration_page.export), name="settings_export"),
            path("settings/import/", self.admin_view(configuration_page.page), name="settings_import"),
            path("settings/import/apply/", self.admin_view(configuration_page.apply), name="settings_import_apply"),
            path(
                "settings/import/discard/", self.admin_view(configuration_page.discard), name="settings_import_discard"
            ),
            path("settings/two-step/", self.admin_view(twostep.set_rule), name="settings_two_step"),
            path("two-step/", self.admin_view(twostep.page), name="two_step"),
            path("two-step/start/", self.admin_view(twostep.start), name="two_step_start"),
            path("two-step/confirm/", self.admin_view(twostep.confirm), name="two_step_confirm"),
            path("two-step/off/", self.admin_view(twostep.turn_off), name="two_step_off"),
            path("names/", self.admin_view(names.page), name="events_seen"),
            path("names/one/", self.admin_view(names.one), name="events_seen_one"),
            path("names/save/", self.admin_view(names.save), name="events_seen_save"),
            path("books/", self.admin_view(books.page), name="books"),
            path("find/", self.admin_view(journey.page), name="journey"),
            path("find/erase/", self.admin_view(erasing.page), name="journey_erase"),
            path("find/erase/start/", self.admin_view(erasing.start), name="journey_erase_start"),
            path("jobs/", self.admin_view(jobs.page), name="jobs"),
            path("jobs/live/", self.admin_view(jobs.live), name="jobs_live"),
            path("jobs/<slug:slug>/run/", self.admin_view(jobs.run), name="jobs_run"),
            path("practice/load/", self.admin_view(practice.load), name="practice_load"),
            path("practice/remove/", self.admin_view(practice.remove), name="practice_remove"),
            path("practice/tick/", self.admin_view(practice.tick), name="practice_tick"),
        ]
        return own + [_shortened(pattern) for pattern in super().get_urls()]

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Guesses are slowed down by address as well: axes stops them for one name from one address. The address that
        an owner signs in under is where alerts lead."""
        from integrations import installation

        address = limits.network(str(request.META.get("REMOTE_ADDR", "")))
        if request.method == "POST" and (wait := limits.wait(limits.SIGN_IN, address, settings.RATE_LIMIT_SIGN_IN)):
            words = "From the network that you are in, somebody has tried to sign in very often just now."
            answer = render(request, "429.html", {"words": words, "wait": "wait a few seconds."}, status=429)
            answer["Retry-After"] = str(wait)
            return answer
        answer = super().login(request, extra_context)
        if request.method == "POST" and answer.status_code == 302:
            installation.remember(request)
        return answer

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        from django.contrib.auth.views import PasswordChangeView

        from config.signin import PasswordForm

        done = reverse("admin:password_change_done")
        context = {**self.each_context(request), **(extra_context or {})}
        view = PasswordChangeView.as_view(
            form_class=PasswordForm, template_name="console/password.html", success_url=done, extra_context=context
        )
        return view(request)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        from deliveries.admin import overview

        return super().index(request, {**overview.context(request), **(extra_context or {})})

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        from deliveries.admin import practice

        return {**super().each_context(request), "console_nav": navigation(request), **practice.context(request)}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups of links that this person may follow."""
    groups = [(title, [_entry(link, request) for link in links]) for title, links in NAVIGATION]
    return [{"title": title, "links": [link for link in links if link]} for title, links in groups if any(links)]


def _entry(link: Link, request: HttpRequest) -> dict[str, Any] | None:
    if link.permission and not request.user.has_perm(link.permission):
        return None
    try:
        url = reverse(f"admin:{link.view}")
    except NoReverseMatch:  # the page belongs to an app that is not installed
        return None
    current = request.path == url or (url != reverse("admin:index") and request.path.startswith(url))
    return {"label": link.label, "url": url, "current": current, "count": _count(link)}


def _count(link: Link) -> int:
    """What stands beside a link in red: the open problems."""
    if link.view != "deliveries_problem_changelist":
        return 0
    from deliveries.alarm import Problem

    return Problem.objects.filter(state="open").count()


def _shortened(pattern: URLPattern | URLResolver) -> URLPattern | URLResolver:
    short = SHORT.get(str(pattern.pattern))
    if short is None or not isinstance(pattern, URLResolver):
        return pattern
    return path(short, include(pattern.url_patterns))
