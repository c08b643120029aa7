"""The console's forms. A connector's and a source's fields come from their vendor's settings.

Secrets are write-only: their fields are empty, and an empty field keeps what is saved.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import MinValueValidator
from django.utils import timezone

from integrations import registry, rolling
from integrations.fields import AddressField, RowsField, mark_closed, setting_field
from integrations.models import Connector, RegionEndpoint, Source
from integrations.types import Setting

RETRIES = (
    ("standard", "Standard: 1, 2, 4 … 64 minutes, a last time within 6 hours"),
    ("patient", "Patient: about three days, survives a weekend"),
    ("list", "My own: the seconds between tries"),
)
TOO_FEW = "Give a number above 0, or leave it empty."
GROUPS = {
    "name": ("name",),
    "vendor": (),
    "region": ("region", "endpoint"),
    "events": ("prefix", "other_events"),
    "mapping": (),
    "sources": ("sources",),
    "speed": ("retry_choice", "retry_list", "rate_limit_per_second", "max_concurrency"),
    "notes": ("notes",),
}


class VendorForm(forms.ModelForm):
    """A model form with a field per setting of the vendor: ``setting_…`` and ``secret_…``."""

    def vendor_settings(self) -> tuple[Setting, ...]:
        raise NotImplementedError

    def add_vendor_fields(self) -> None:
        saved = getattr(self.instance, "secrets", None) or {}
        for setting in self.vendor_settings():
            field = setting_field(setting, saved=saved.get(setting.name, "") if setting.secret else "")
            self.fields[field_name(setting)] = field
            if not setting.secret:
                self.initial[field_name(setting)] = self.instance.settings.get(setting.name, setting.default)
            if setting.private:
                field.saved_values = self.instance.settings.get(setting.name) or {}  # type: ignore[attr-defined]  # ours

    def vendor_fields(self) -> list[forms.BoundField]:
        names = [field_name(setting) for setting in self.vendor_settings()]
        return [self[name] for name in names if name in self.fields]

    def collect_settings(self) -> None:
        """Put the fields' values into the row; what a vendor no longer knows stays untouched."""
        values = {
            setting.name: self.cleaned_data.get(field_name(setting))
            for setting in self.vendor_settings()
            if not setting.secret and field_name(setting) in self.cleaned_data  # absent: wrong, or not on this page
        }
        kept = {name: value for name, value in values.items() if value is not None and value != ""}
        gone = {name for name in values if name not in kept}
        old = {name: value for name, value in self.instance.settings.items() if name not in gone}
        self.instance.settings = {**old, **kept}


def field_name(setting: Setting) -> str:
    return f"{'secret' if setting.secret else 'setting'}_{setting.name}"


class SourceForm(VendorForm):
    signing_secret_new = forms.CharField(required=False)
    remove_signing_secret = forms.BooleanField(
        required=False, label="Remove the saved signing secret", help_text="Calls without a signature are taken then."
    )

    class Meta:
        model = Source
        fields = ("name", "rate_limit_per_second", "erases")
        error_messages = {"name": {"unique": "Another source is called that already. Choose another name."}}

    def __init__(self, *args: Any, may_erase: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        vendor = registry.get(self.instance.vendor)
        if vendor is None or vendor.receive is None or not vendor.receive.deletes:
            del self.fields["erases"]
        else:
            self.fields["erases"].help_text = "Segment's delete events ask for a person's erasure. Set by owners."
            self.fields["erases"].required = False  # missing in a post: stays as it is
            self.fields["erases"].disabled = not may_erase
        if vendor is not None and vendor.slug != "segment":  # there an example is a website
            self.fields["name"].help_text = f"How it is called here, for example “{vendor.label} – production”."
        words = vendor.receive.signing_secret_help if vendor and vendor.receive else ""
        saved = self.instance.signing_secret
        secret = Setting(name="signing", label="Signing secret", help=words, secret=True, required=False)
        self.fields["signing_secret_new"] = setting_field(secret, saved=saved)
        if not saved:
            del self.fields["remove_signing_secret"]
        self.fields["rate_limit_per_second"].widget.attrs["min"] = 1
        self.fields["rate_limit_per_second"].validators = [MinValueValidator(1, TOO_FEW)]
        self.add_vendor_fields()

    def vendor_settings(self) -> tuple[Setting, ...]:
        vendor = registry.get(self.instance.vendor)
        return vendor.receive.settings if vendor and vendor.receive else ()

    def clean_erases(self) -> str:
        return self.cleaned_data.get("erases") or self.instance.erases

    def save(self, commit: bool = True) -> Any:
        self.collect_settings()
        if self.cleaned_data.get("remove_signing_secret"):
            self.instance.signing_secret = ""
        elif secret := self.cleaned_data.get("signing_secret_new"):
            self.instance.signing_secret = secret
        return super().save(commit)


class ConnectorForm(VendorForm):
    """Everything about a connector but its tables and its status (which has buttons, not a field)."""

    retry_choice = forms.ChoiceField(label="Tries again", choices=RETRIES, widget=forms.RadioSelect)
    retry_list = forms.CharField(
        required=False, label="Seconds between tries", help_text="For example: 10, 60, 600", max_length=200
    )

    endpoint = AddressField(
        required=False,
        label="Own address",
        help_text="Instead of the region's address, for example a proxy of your own. Usually empty.",
    )

    class Meta:
        model = Connector
        fields = (
            "name", "sources", "region", "endpoint", "prefix", "other_events",
            "rate_limit_per_second", "max_concurrency", "notes",
        )  # fmt: skip
        field_classes = {"sources": RowsField}
        error_messages = {"name": {"unique": "Another connector is called that already. Choose another name."}}
        widgets = {
            "sources": forms.CheckboxSelectMultiple,
            "region": forms.RadioSelect,
            "other_events": forms.RadioSelect,
        }
        labels = {
            "sources": "Gets the events of these sources",
            "prefix": "A word in front of every name",
            "other_events": "Events that are not in the table",
            "rate_limit_per_second": "Speed limit, calls per second",
            "max_concurrency": "Calls at once",
        }
        help_texts = {
            "other_events": "",
            "rate_limit_per_second": "Empty: as fast as the service takes them.",
            "max_concurrency": "Empty: decided by how quickly the service answers.",
            "notes": "For your colleagues: what this connector is for, whom to ask.",
        }

    def __init__(self, *args: Any, only: tuple[str, ...] | None = None, **kwargs: Any) -> None:
        """``only``: the groups of fields that this page has, of :data:`GROUPS`; the others keep what is saved."""
        super().__init__(*args, **kwargs)
        self.vendor = registry.get(self.instance.vendor)
        regions = RegionEndpoint.objects.filter(vendor=self.instance.vendor)
        if self.vendor and len(self.vendor.regions) > 1:
            region = self.fields["region"]
            region.queryset = regions  # type: ignore[attr-defined]  # a model's field
            region.empty_label = None  # type: ignore[attr-defined]  # as above
            region.required = True
            if not self.instance.region_id:
                self.initial["region"] = regions.first()
        else:
            del self.fields["region"]
        if self.vendor and not self.vendor.regions:
            del self.fields["endpoint"]  # its address is among its settings
        self.fields["sources"].called = "Sources"  # type: ignore[attr-defined]  # ours
        self.fields["prefix"].strip = False  # type: ignore[attr-defined]  # "segment : " ends in a space
        if self.vendor:
            self.fields["name"].help_text = f"How it is called here, for example “{self.vendor.label} – production”."
        if self.vendor and self.vendor.offered_prefix:
            self.fields["prefix"].help_text = f"{self.vendor.label} usually uses “{self.vendor.offered_prefix}”."
        retry = self.instance.retry
        self.initial["retry_choice"] = retry if isinstance(retry, str) else "list"
        self.initial["retry_list"] = ", ".join(map(str, retry)) if isinstance(retry, list) else ""
        self.fields["rate_limit_per_second"].widget.attrs.update(min="0.01", step="any")
        self.fields["rate_limit_per_second"].validators = [MinValueValidator(0.01, TOO_FEW)]
        self.fields["max_concurrency"].validators = [MinValueValidator(1, TOO_FEW)]
        self.add_vendor_fields()
        if only is not None:
            self._keep(only)

    def _keep(self, groups: tuple[str, ...]) -> None:
        """In the order of the groups. An own address stands only beside a choice of regions."""
        names = {
            **GROUPS,
            "vendor": tuple(field_name(setting) for setting in self.vendor_settings()),
            "region": GROUPS["region"] if "region" in self.fields else (),
        }
        kept = [name for group in groups for name in names[group]]
        for name in [name for name in self.fields if name not in kept]:
            del self.fields[name]
        self.order_fields(kept)

    def vendor_settings(self) -> tuple[Setting, ...]:
        vendor = registry.get(self.instance.vendor)
        return vendor.settings if vendor else ()

    def leave_out_absent(self) -> None:
        """What the posted page does not ask for stays as the row has it. Boxes are sent only where they are ticked."""
        for name, field in list(self.fields.items()):
            if field.widget.value_omitted_from_data(self.data, self.files, self.add_prefix(name)):
                del self.fields[name]

    def clean_prefix(self) -> str:
        prefix = self.cleaned_data["prefix"]
        return prefix if prefix.strip() else ""

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        mark_closed(self)
        if "retry_choice" not in self.fields:
            return data
        if data.get("retry_choice") == "list":
            try:
                data["retry"] = parse_seconds(data.get("retry_list", ""))
            except ValueError as error:
                self.add_error("retry_list", str(error))
        else:
            data["retry"] = data.get("retry_choice", "standard")
        return data

    def fill(self) -> Connector:
        """The row as the form says, not saved. Also for the preview of a form that is still being filled in."""
        self.collect_settings()
        self.instance.retry = self.cleaned_data.get("retry", self.instance.retry)
        new = {
            setting.name: self.cleaned_data[field_name(setting)]
            for setting in self.vendor_settings()
            if setting.secret and self.cleaned_data.get(field_name(setting))
        }
        if new:
            rolling.replace(self.instance, {**self.instance.secrets, **new}, timezone.now())
        return self.instance

    def save(self, commit: bool = True) -> Any:
        self.fill()
        return super().save(commit)


def parse_seconds(text: str) -> list[int]:
    """A retry list of 1 to 20 waits, each up to a week. Raises ValueError in words for the form."""
    parts = [part for part in text.replace(",", " ").split() if part]
    if not parts or len(parts) > 20:
        raise ValueError("Give 1 to 20 waits in seconds, with commas between them.")
    if any(
        not part.isascii() or not part.isdigit() or len(part) > 6 or not 1 <= int(part) <= 604_800 for part in parts
    ):
        raise ValueError("Each wait is a whole number of seconds, from 1 to 604800 (a week).")
    return [int(part) for part in parts]
