"""What the console's own pages share: a ModelAdmin whose addresses lead to pages of ours, and the permission check."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

P = ParamSpec("P")
View = Callable[..., HttpResponse]


def demand(request: HttpRequest, permission: str) -> None:
    """Raise PermissionDenied, before anything has happened, unless the person's role allows it."""
    if not request.user.has_perm(permission):
        raise PermissionDenied("Nothing was changed. Ask an owner of this Signalbox for another role.")


def changes(permission: str) -> Callable[[Callable[Concatenate[Any, HttpRequest, P], HttpResponse]], View]:
    """A method that changes something: by POST only, and only for whoever holds ``permission``."""

    def decorate(method: Callable[Concatenate[Any, HttpRequest, P], HttpResponse]) -> View:
        @wraps(method)
        def inner(self: Any, request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            @require_POST
            def run(request: HttpRequest) -> HttpResponse:
                demand(request, permission)
                return method(self, request, *args, **kwargs)

            return run(request)

        inner.permission = permission  # type: ignore[attr-defined]  # read by the test that calls every one as each role
        return inner

    return decorate


class PageAdmin(admin.ModelAdmin):
    """A model whose pages are our own: only what ``pages`` lists has an address, so nothing else can be reached.

    ``pages`` are (route, method name, name); the name is put behind "<app>_<model>_".
    """

    pages: tuple[tuple[str, str, str], ...] = ()

    def get_urls(self) -> list[URLPattern]:
        meta = self.opts
        return [
            path(
                route,
                self.admin_site.admin_view(getattr(self, method)),
                name=f"{meta.app_label}_{meta.model_name}_{name}",
            )
            for route, method, name in self.pages
        ]

    def link(self, name: str, *args: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{name}", args=args)

    def back_to_list(self, request: HttpRequest) -> str:
        """The list as it was filtered, where a button of one of its lines was pressed; "" elsewhere."""
        if request.POST.get("back") != "list":
            return ""
        return f"{self.link('changelist')}?{request.GET.urlencode()}".rstrip("?")

    def show(self, request: HttpRequest, template: str, title: str, **context: Any) -> TemplateResponse:
        return show(request, template, title, site=self.admin_site, **context)


def show(
    request: HttpRequest, template: str, title: str, *, site: admin.AdminSite | None = None, **context: Any
) -> TemplateResponse:
    """A console page. ``site`` defaults to the one console there is."""
    site = site or admin.site
    request.current_app = site.name
    return TemplateResponse(request, template, {**site.each_context(request), "title": title, **context})
