"""What Novu's answers to a trigger mean, one by one (``novu`` says for which calls)."""

from __future__ import annotations

from integrations.types import Cause, Disposition, Json, Response, Verdict
from integrations.vendors._values import at, text
from integrations.verdicts import DETAIL_LIMIT

UNKNOWN_WORKFLOW = "workflow_not_found"
GOOD_STATUSES = frozenset({"processed", "deleted"})
# The documented values of ``data.status`` other than "processed": nothing is sent for any of them.
STATUS_WORDS = {
    "trigger_not_active": "the workflow is switched off in Novu",
    "no_workflow_active_steps_defined": "the workflow has no active step",
    "no_workflow_steps_defined": "the workflow has no step",
    "no_tenant_found": "the tenant does not exist in Novu",
    "invalid_recipients": "the recipient is not valid",
    "error": "Novu could not take it",
}
UNSAID = Verdict(
    disposition=Disposition.RETRY, cause=Cause.SERVICE_ERROR, detail="Novu's answer says nothing about this event."
)
NO_WORKFLOW = Verdict(
    disposition=Disposition.REJECTED,
    cause=Cause.NOT_FOUND,
    detail="Novu has no workflow with this identifier in this environment (workflow_not_found).",
)


def judge_result(result: Json) -> Verdict | None:
    """One result of a trigger; None (a plain success) where there is no status to read."""
    status = result.get("status") if isinstance(result, dict) else None
    if not isinstance(status, str) or status in GOOD_STATUSES:
        return None
    errors = result.get("error")
    said = "; ".join(map(str, errors)) if isinstance(errors, list) else text(errors)
    if UNKNOWN_WORKFLOW in said:
        return NO_WORKFLOW
    why = STATUS_WORDS.get(status, "it gives no success")
    detail = f"Novu took the call but sends nothing: {why} ({status}{': ' + said if said else ''})."
    return Verdict(disposition=Disposition.REFUSED, cause=Cause.REFUSED_BY_SERVICE, detail=detail[:DETAIL_LIMIT])


def judge_refusal(response: Response) -> Verdict | None:
    """400 and 422: an unknown workflow, or fields with Novu's word on each."""
    if UNKNOWN_WORKFLOW in response.text:
        return NO_WORKFLOW
    fields = at(response.json(), "errors")
    if not isinstance(fields, dict) or not fields:
        return None
    said = {field: at(problem, "messages") for field, problem in fields.items()}
    parts = (f"{field}: {', '.join(map(str, one))}" if isinstance(one, list) else field for field, one in said.items())
    return Verdict(disposition=Disposition.REJECTED, cause=Cause.DATA_REFUSED, detail="; ".join(parts)[:DETAIL_LIMIT])
