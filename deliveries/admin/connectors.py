"""Connectors: the list, the page with everything about one, and its buttons."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import slugify

from deliveries import backfill, hold, pace, release, replay
from deliveries.admin import badges, event_lines, fields_seen, figures, own_alerts, saved
from deliveries.admin.catalog import CatalogPages
from deliveries.admin.connector_list import ListPages
from deliveries.admin.trying import TestPages, saved_config
from deliveries.log import newest_of
from integrations import configuration, copying, history, registry, replaced, rolling, selectors
from integrations.admin.pages import changes, demand
from integrations.forms import ConnectorForm
from integrations.models import Connector
from integrations.numbers import thousands
from integrations.tables import Table, tables
from integrations.templatetags.console import plural

OPERATE = "integrations.operate_connector"
CHANGE = "integrations.change_connector"
REPLAY = "deliveries.replay_delivery"


@admin.register(Connector)
class ConnectorAdmin(CatalogPages, TestPages, ListPages):
    pages = (
        *ListPages.list_pages,
        ("<int:pk>/", "page", "change"),
        ("<int:pk>/pause/", "pause", "pause"),
        ("<int:pk>/resume/", "resume", "resume"),
        ("<int:pk>/resuming/", "resuming", "resuming"),
        ("<int:pk>/off/", "switch_off", "off"),
        ("<int:pk>/on/", "switch_on", "on"),
        ("<int:pk>/remove/", "remove", "remove"),
        ("<int:pk>/old-key/end/", "end_old_key", "end_old_key"),
        ("<int:pk>/identifies/", "replay_identifies", "identifies"),
        ("<int:pk>/copy/", "copy", "copy"),
        ("<int:pk>/export/", "export", "export"),
        *CatalogPages.catalog_pages,
        *TestPages.test_pages,
    )

    def page(self, request: HttpRequest, pk: int) -> HttpResponse:
        connector = self.row(pk)
        form, lists = ConnectorForm(request.POST or None, instance=connector), tables(connector, request.POST or None)
        if request.method == "POST":
            demand(request, CHANGE)
            valid = [form.is_valid(), *(table.is_valid() for table in lists.values())]  # all, so that all mistakes show
            if all(valid):
                return self._save(request, connector, form, lists)
            connector = self.row(pk)  # as it is stored: the form has changed the one it was given
        now, snapshot = timezone.now(), selectors.snapshot()
        config = saved_config(connector, snapshot)
        report = badges.reports([connector], now, snapshot.version)[pk]
        held = figures.held_of(connector, now)
        context: dict[str, Any] = {
            "connector": connector,
            "vendor": registry.get(connector.vendor),
            "badge": report.health,
            "form": form,
            "tables": lists,
            "names": event_lines.recent().names(),
            "clashes": event_lines.annotate(config, lists, snapshot),
            "strip": {**report.counts, "total": sum(report.counts.values())},
            "old_key_until": connector.old_secrets_until if connector.old_secrets else None,
            "held": held,
            "resuming": release.progress_of(connector, now, (held["count"], held["waiting"])),
            "changes": (changed := list(history.of(connector))),
            "draft": badges.is_draft(connector),
            "own_alerts": own_alerts.of(connector),
            "last_delivered": report.last_delivered_at,
            "offers_identifies": not badges.is_draft(connector) and request.user.has_perm(REPLAY),
            "read_only": not request.user.has_perm(CHANGE),
            "hold_days": settings.HOLD_DAYS,
            "fields": self.seen_fields(request, connector, lists),
            "crumbs": self.crumbs(),
            "traffic_lately": figures.is_lately(report.last_made_at, now),
            "lost": figures.losses_of(connector, held["count"]),
            **self.preview_context(request, connector, config),
        }
        replaced.note(form, changed, connector.secrets_changed_at)
        return self.show(request, "console/connector.html", connector.name, **context)

    def _save(self, request: HttpRequest, row: Connector, form: ConnectorForm, lists: dict[str, Table]) -> HttpResponse:
        more = [line for table in lists.values() for line in table.changes()]
        with transaction.atomic():
            change = history.note_changes(request.user, form, more)
            form.save()
            for table in lists.values():
                table.save()
        if change is None:
            messages.info(request, "Nothing was changed.")
        else:
            words = f"Saved: {change.words.removeprefix('Changed ')}.{saved.renamed(lists)}"
            offer = saved.offer(row, form, more) if request.user.has_perm("deliveries.replay_delivery") else ""
            messages.success(
                request, format_html("{} It counts from now on; nothing already sent is changed. {}", words, offer)
            )
        return redirect(self.link("change", row.pk))

    @changes(OPERATE)
    def pause(self, request: HttpRequest, pk: int) -> HttpResponse:
        connector = self.row(pk)
        reason = request.POST.get("reason", "").strip()[:300]
        try:
            until = parse_local(request.POST.get("resume_at", ""))
            count = hold.pause(connector, by=str(request.user), reason=reason, resume_at=until)
        except (ValueError, hold.NotPossible) as error:
            messages.error(request, str(error))
        else:
            history.record(request.user, connector, f"Paused{f': {reason}' if reason else ''}")
            waiting = f" {thousands(count)} that were waiting are held too." if count else ""
            messages.success(request, f"Paused. New events are kept and wait until you resume.{waiting}")
        return redirect(self.link("change", pk))

    @changes(OPERATE)
    def resume(self, request: HttpRequest, pk: int) -> HttpResponse:
        connector = self.row(pk)
        chosen, backlog = request.POST.get("older_than", ""), request.POST.get("backlog", "send")
        did = "Resumed" if connector.status == Connector.Status.PAUSED else "Decided on what is held"
        try:
            speed = pace.typed(request.POST.get("per_second"), pace.most_of(connector), connector.name)
            counts = hold.resume(
                connector,
                by=str(request.user),
                backlog=backlog,
                per_minute=speed,
                older_than_hours=int(chosen) if chosen.isascii() and chosen.isdigit() and len(chosen) < 6 else None,
            )
        except (ValueError, hold.NotPossible) as error:
            messages.error(request, str(error))
        else:
            words = hold.in_words(counts, speed, backlog=backlog)
            history.record(request.user, connector, f"{did}: {words}")
            messages.success(request, f"{did}: {words}. New events are sent as they come in.")
        return redirect(self.link("change", pk))

    def resuming(self, request: HttpRequest, pk: int) -> HttpResponse:
        """How far the sending of what was held is: a piece of the page."""
        connector = self.row(pk)
        found = release.progress_of(connector, timezone.now())
        answer = self.show(request, "console/resuming.html", "", connector=connector, resuming=found)
        if found is None or not found["running"]:
            answer["X-Done"] = "1"
        return answer

    @changes(OPERATE)
    def switch_off(self, request: HttpRequest, pk: int) -> HttpResponse:
        connector = self.row(pk)
        newest = newest_of(pk).values_list("created_at", flat=True).first()
        if figures.is_lately(newest, timezone.now()) and request.POST.get("name") != connector.name:
            messages.error(
                request, f"Events flowed in the last hour. To switch it off, type its name: {connector.name}"
            )
            return redirect(self.link("change", pk))
        count = hold.switch_off(connector, by=str(request.user), reason=request.POST.get("reason", "").strip())
        history.record(request.user, connector, "Switched off")
        lost = f" {thousands(count)} that were waiting are marked as skipped." if count else ""
        messages.success(request, f"Switched off. Events for it are not kept from now on.{lost}")
        return redirect(self.link("change", pk))

    @changes(OPERATE)
    def switch_on(self, request: HttpRequest, pk: int) -> HttpResponse:
        connector = self.row(pk)
        hold.switch_on(connector, by=str(request.user))
        history.record(request.user, connector, "Turned on")
        return self.after_turning_on(request, connector, "Turned on. Events are sent from now on.")

    def after_turning_on(self, request: HttpRequest, row: Connector, words: str) -> HttpResponse:
        """On from now on, or with what came in during the last 24 hours: then its progress is shown."""
        messages.success(request, words)
        wanted = request.POST.get("backlog") == "day" and row.sources.exists()
        if not wanted or not request.user.has_perm("deliveries.replay_delivery"):
            return redirect(self.link("change", row.pk))
        job = backfill.start(row, by=str(request.user), now=timezone.now())
        history.record(request.user, row, f"Had what came in during the last 24 hours sent too: {thousands(job.total)}")
        return redirect(reverse("admin:deliveries_replay_change", args=[job.pk]))

    @changes("deliveries.replay_delivery")
    def replay_identifies(self, request: HttpRequest, pk: int) -> HttpResponse:
        """For a changed mapping: every person's newest identify event goes out again."""
        connector = self.row(pk)
        job = replay.start_past_identifies(connector, by=str(request.user))
        history.record(request.user, connector, f"Replayed past identify events: {thousands(job.total)}")
        return redirect(reverse("admin:deliveries_replay_change", args=[job.pk]))

    @changes("integrations.add_connector")
    def copy(self, request: HttpRequest, pk: int) -> HttpResponse:
        original = self.row(pk)
        row = copying.copied(original)
        history.record(request.user, row, f"Copied from {original.name}")
        messages.success(
            request,
            f"This is a copy of {original.name}: its events, mapping and filters. It is off. Keys are not copied: "
            "put in those of the account that this one sends to.",
        )
        return redirect(self.link("setup", row.pk, "keys"))

    def export(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The connector as a document that can be imported elsewhere, without its keys."""
        connector = self.row(pk)
        document = configuration.export_document(only=connector)
        body = json.dumps(document, indent=2, ensure_ascii=False)
        name = slugify(connector.name) or "connector"
        return HttpResponse(
            body, "application/json", headers={"Content-Disposition": f'attachment; filename="{name}.json"'}
        )

    @changes("integrations.delete_connector")
    def remove(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Archive: it sends no more and leaves the lists; its deliveries stay readable."""
        connector = self.row(pk)
        if request.POST.get("name") != connector.name:
            messages.error(request, f"Nothing was removed. To remove it, type its name: {connector.name}")
            return redirect(self.link("change", pk))
        count = hold.switch_off(connector, by=str(request.user), reason="Removed")
        connector.archived_at = timezone.now()
        connector.name = f"{connector.name[:80]} (removed {connector.archived_at:%d %b %Y %H:%M:%S} UTC)"[:100]
        connector.secrets, connector.old_secrets, connector.old_secrets_until = {}, {}, None
        connector.save()
        lost = f"{plural(count, 'event')} thrown away, " if count else ""
        history.record(request.user, connector, f"Removed: {lost}its keys erased; its log stays")
        messages.success(request, f"Removed: {lost}its keys erased. What it delivered stays in the log.")
        return redirect(self.link("changelist"))

    @changes(CHANGE)
    def end_old_key(self, request: HttpRequest, pk: int) -> HttpResponse:
        connector = self.row(pk)
        if rolling.end_overlap(connector):
            history.record(request.user, connector, "Ended the old signing secret before its time")
            messages.success(request, "Ended. Calls are signed with the new secret alone from now on.")
        return redirect(self.link("change", pk))

    def seen_fields(self, request: HttpRequest, row: Connector, lists: dict[str, Table]) -> list[tuple[str, str, str]]:
        """What the form may suggest for its mappings; nothing for viewers, because samples are personal."""
        vendor = registry.get(row.vendor)
        if vendor is None or not (vendor.channels or vendor.preferences) or not request.user.has_perm(CHANGE):
            return []
        seen = fields_seen.recent()
        fields_seen.annotate(lists, vendor, seen)
        return fields_seen.offers(seen)

    def row(self, pk: int) -> Connector:
        rows = Connector.objects.filter(archived_at=None).select_related("region", "resumption")
        return get_object_or_404(rows, pk=pk)

    def crumbs(self) -> list[tuple[str, str]]:
        return [("Connectors", self.link("changelist"))]


def parse_local(text: str) -> datetime | None:
    """What a date-and-time field holds, by the reader's clock; None when empty. Raises ValueError for a time that has
    passed."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("“Resume by itself at” is not a date and time.") from None
    moment = moment.replace(tzinfo=moment.tzinfo or timezone.get_current_timezone()).astimezone(UTC)
    if moment <= timezone.now():
        raise ValueError("“Resume by itself at” has passed already. Nothing was changed.")
    return moment
