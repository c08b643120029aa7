"""The sentences about deliveries, as tables. Pure data: ``causes.explain`` chooses and fills them in.

Each entry is (headline, explanation, what to do). Names in braces: {who} the service ("The service" when unknown),
{whom} the same inside a sentence, {key} what its key is called, {connector}, {event}, {Event} at the start of a
sentence, {host}, {answered} "Novu answered 401.", {says} the service's words as a sentence, {own} our own words as one,
{size} how much we sent, {asked} what we asked for by name, {field} the field that the service names, {wish} how long it
asks us to wait, {bare} the detail as it is, {progress} which try it was and when the next one is, {tries} "after 9
tries". What is unknown is "".
"""

from integrations.types import Cause

Words = tuple[str, str, str]

REPLAY = "then replay this delivery."
NOT_ITS_FAULT = "That has nothing to do with this event."
NOT_THEIR_FAULT = "That has nothing to do with the events."
OPEN_CONNECTOR = "Open {connector}"

STATUS: dict[str, Words] = {
    "waiting": ("Waiting to be sent.", "{Event} is stored and in line for {whom}.", "Nothing: it goes out by itself."),
    "sending": (
        "Being sent now.",
        "{Event} is on its way to {whom}; the answer is not here yet.",
        "Nothing: the result shows here in a moment.",
    ),
    "delivered": (
        "{who} accepted the event.",
        "{answered} {own}",
        "If you do not see it there, check that {connector} points to the right account.",
    ),
}

FAILED: dict[Cause, Words] = {
    Cause.KEY_REFUSED: (
        "{who} refused the {key}.",
        "{answered} {says} The {key} saved here is wrong, was replaced over there, or may not do this. "
        "We do not try again by ourselves.",
        f"{OPEN_CONNECTOR}, paste a fresh {{key}}, send a test event, {REPLAY}",
    ),
    Cause.DATA_REFUSED: (
        "{who} did not accept this event.",
        "{answered} {says} The same event would get the same answer, so we do not try again.",
        f"Compare what we sent with what {{whom}} asks for, correct the connector's mapping or the event, {REPLAY} "
        "If that does not help, copy the details of this delivery for your engineer.",
    ),
    Cause.NOT_FOUND: (
        "The address does not exist there.",
        "{answered} {says} {who} is reached, but has nothing at this address.",
        f"{OPEN_CONNECTOR} and check the region, the address and the ids in it, {REPLAY}",
    ),
    Cause.TOO_LARGE: (
        "The event is too big for {whom}.",
        "{answered} {says} {size} It would be refused again, so we do not try again.",
        "Leave out large fields with a filter, or send less in the event; then replay this delivery.",
    ),
    Cause.SLOW_DOWN: (
        "{who} asked us to slow down.",
        "{answered} {says} It gets more calls than it wants to take just now. {wish}",
        f"If this happens often, lower the speed limit of {{connector}}, {REPLAY}",
    ),
    Cause.SERVICE_ERROR: (
        "{who} had a problem on its side.",
        f"{{answered}} {{says}} {NOT_ITS_FAULT}",
        "Replay this delivery when {whom} works again.",
    ),
    Cause.TIMEOUT: (
        "{who} did not answer in time.",
        "{answered} {own} {who} may have received the event all the same.",
        "Replay this delivery when {whom} works again.",
    ),
    Cause.UNREACHABLE: (
        "{who} could not be reached.",
        "{own} The trouble lies between us and {whom}, not in the event.",
        f"Check the address of {{connector}}, {REPLAY}",
    ),
    Cause.TLS: (
        "The security certificate of {host} is not valid.",
        "{own} Without a valid certificate we cannot know who would read the event, so nothing was sent.",
        f"Ask whoever runs {{host}} to renew the certificate, or check the address of {{connector}}, {REPLAY}",
    ),
    Cause.BLOCKED_ADDRESS: (
        "We do not call this address.",
        "{own} Addresses inside our own network, and hosts that are not the service's, are closed to connectors.",
        "Correct the address. If it is meant to be inside the network, Settings → Network says how it is allowed "
        f"(with ALLOWED_PRIVATE_NETWORKS); {REPLAY}",
    ),
    Cause.REDIRECT: (
        "The address sends us elsewhere.",
        "{answered} {elsewhere} We do not follow, because the event and the {key} would go to somebody else.",
        f"{OPEN_CONNECTOR}, enter the new address if you trust it, {REPLAY}",
    ),
    Cause.REFUSED_BY_SERVICE: (
        "{who} took the call but not the event.",
        "{answered} {says} A number that means success came with words that mean no.",
        f"Correct over there, or in {{connector}}, what the words name, {REPLAY}",
    ),
    Cause.MAPPING_MISSING: (
        "Not sent: {bare}.",
        "{who} needs it, so nothing was sent.",
        f"Choose another field in the mapping of {{connector}}, or send the missing one along, {REPLAY}",
    ),
    Cause.NOT_SUPPORTED: (
        "{who} does not take this kind of event.",
        "{answered} {says} The same event would get the same answer.",
        "Nothing, if {whom} can do without it; otherwise send it as another event.",
    ),
    Cause.SWITCHED_OFF: ("Not sent: it is switched off.", "{own}", f"Switch it on in {{connector}}, {REPLAY}"),
    Cause.FILTERED: ("Not sent: a filter left it out.", "{own}", f"Change the filter in {{connector}}, {REPLAY}"),
    Cause.PAUSED: ("Not sent: the connector was paused.", "{own}", "Resume {connector}, then replay this delivery."),
    Cause.GAVE_UP: (
        "We stopped {tries}.",
        "{last} No further try follows by itself.",
        "Replay this delivery when {whom} works again.",
    ),
    Cause.INTERNAL: (
        "Something went wrong on our side.",
        "{own} {who} is not to blame, and we do not try again by ourselves.",
        "Copy the details of this delivery for your engineer, and replay it when the cause is put right.",
    ),
    Cause.ERASED: (
        "Not sent: the person was erased.",
        "Somebody asked for the erasure of the person whose event this was. Its content is gone, so nothing was sent.",
        "Nothing: it cannot be sent any more.",
    ),
}
# Data refused for a field that the service names, and that stands in what was sent.
FIELD_REFUSED: Words = (
    "{who} did not accept one field.",
    FAILED[Cause.DATA_REFUSED][1],
    f"Look at “{{field}}” in the event and in the settings of {{connector}}, correct it, {REPLAY}",
)
FAILED_OTHERWISE: Words = (
    "{who} did not get this event.",
    "{answered} {own} We do not try again by ourselves.",
    "Look at the tries below; replay this delivery when the cause is put right.",
)

# What is left to do while we still try; the headline is the one of FAILED, the explanation ends in {progress}.
RETRYING: dict[Cause, str] = {
    Cause.SLOW_DOWN: "Nothing: we wait and try again by ourselves. If it happens every day, lower the speed limit.",
    Cause.UNREACHABLE: "Nothing yet: we try again by ourselves. If it stays like this, check the address.",
    Cause.TLS: "Nothing yet: we try again by ourselves. If it stays like this, check the address and its certificate.",
}
RETRYING_OTHERWISE = "Nothing yet: we try again by ourselves."

STOPPED_FOR_KEY = "The key was refused"  # how the reason begins for which a connector stops by itself; else it is gone
HELD: dict[Cause, Words] = {
    Cause.PAUSED: (
        "Waiting: the connector is paused.",
        "{answered} {says} {Event} is kept here and uses up no tries.",
        "Resume {connector}; you choose there what happens to the held events.",
    ),
    Cause.KEY_REFUSED: (
        "Waiting: {whom} refuses the {key}.",
        "{connector_start} was stopped after many refusals in a row. {Event} is kept here and uses up no tries.",
        f"{OPEN_CONNECTOR}, paste a fresh {{key}}, send a test event, then resume.",
    ),
    Cause.NOT_FOUND: (
        "Waiting: the address is gone for good.",
        "{connector_start} was stopped because {whom} said so (410). {Event} is kept here and uses up no tries.",
        f"{OPEN_CONNECTOR}, put its address right, send a test event, then resume.",
    ),
}
HELD_OTHERWISE: Words = (
    "Waiting: this event is held.",
    "{answered} {says} {Event} is kept here and uses up no tries.",
    "Resume {connector} to send it.",
)
# Held although the connector is on: somebody kept it when resuming, or it waits for its moment at a chosen speed.
HELD_KEPT: Words = (
    "Waiting: it was kept when the connector was resumed.",
    "{Event} is kept here and uses up no tries. It goes out when its turn comes, or when somebody decides so.",
    f"{OPEN_CONNECTOR}: it shows how far the sending is, or asks what to do with the events that were kept.",
)

SKIPPED: dict[Cause, Words] = {
    Cause.SWITCHED_OFF: (
        "Not sent on purpose: {event} is switched off.",
        "{own} That is a setting, not a failure.",
        f"If it should go out, switch it on in {{connector}}, {REPLAY}",
    ),
    Cause.FILTERED: (
        "Not sent on purpose: a filter left out {event}.",
        "{own} That is a setting, not a failure.",
        f"If it should go out, change the filter in {{connector}}, {REPLAY}",
    ),
    Cause.NOT_SUPPORTED: (
        "Not sent: {whom} has no use for {event}.",
        "{own} Nothing is wrong.",
        "Nothing.",
    ),
    Cause.PAUSED: (
        "Not sent on purpose: thrown away on resuming.",
        "{own} {Event} was held while {connector} was paused, and was then discarded.",
        "If it should go out after all, replay this delivery.",
    ),
    Cause.ERASED: (
        "Not sent on purpose: the person was erased.",
        "{Event} had not gone out to {whom} when the person it belongs to was erased. Its content is gone from here; "
        "only this line is kept, so that the books add up.",
        "Nothing: this is what an erasure is for. It cannot be replayed, because nothing of it is left.",
    ),
}
SKIPPED_OTHERWISE: Words = (
    "Not sent on purpose.",
    "{own} {Event} was left out for {whom}.",
    f"If it should go out, look at the settings of {{connector}}, {REPLAY}",
)

# What a service's key is called where it is not "API key".
KEYS = {"segment": "write key", "webhook": "secret", "hello_customer": "token"}

# Where a service lets us say more: (vendor, cause or status) → the parts that differ; "" keeps the general sentence.
VENDORS: dict[tuple[str, str], Words] = {
    ("segment", "delivered"): (
        "",
        "",
        "If you do not see it in Segment, check that the write key belongs to the source you look at, and the region: "
        "Segment answers 200 to a wrong key and to the wrong region as well.",
    ),
    ("segment", Cause.NOT_FOUND): ("", "", f"{OPEN_CONNECTOR} and check the region, {REPLAY}"),
    ("segment", Cause.TOO_LARGE): (
        "",
        "{answered} {says} {size} Segment takes up to 32 kB for one event.",
        "",
    ),
    ("novu", "delivered"): (
        "",
        "",
        "If the person gets nothing, look at Novu's activity feed: the workflow's steps and the person's preferences "
        "decide there.",
    ),
    ("novu", Cause.KEY_REFUSED): (
        "",
        "",
        f"{OPEN_CONNECTOR}, paste the {{key}} of the right Novu environment and check the region: each has its own. "
        "Send a test event, then replay this delivery.",
    ),
    ("novu", Cause.NOT_FOUND): ("", "{answered} {says} Wrong region, or it is not there any more.", ""),
    ("novu", "asked_not_found"): (
        "Novu does not know this workflow.",
        "{answered} {says} Wrong region, or the workflow “{asked}” was renamed or never published in this environment.",
        f"Look for “{{asked}}” in Novu: put its new identifier into the event, or into the events of {{connector}}. "
        f"If it is there, check the region, {REPLAY}",
    ),
    ("novu", Cause.REFUSED_BY_SERVICE): (
        "Novu took the call but sends nothing.",
        "{answered} {says}",
        f"Check in Novu that the workflow is switched on and has steps, {REPLAY}",
    ),
    ("suprsend", "field_refused"): (
        "",
        "",
        f"Look at “{{field}}” in the mapping of {{connector}}, correct it there or in the event, {REPLAY}",
    ),
    ("novu", Cause.DATA_REFUSED): ("Novu did not accept a field of this event.", "", ""),
    ("suprsend", Cause.DATA_REFUSED): (
        "SuprSend did not accept a field of this event.",
        "",
        f"Look at that field in the mapping of {{connector}}, correct it there or in the event, {REPLAY}",
    ),
    ("hello_customer", Cause.DATA_REFUSED): (
        "",
        "",
        "Check in Hello Customer that the campaign is set to production and that the language belongs to it, and that "
        "the event has a valid e-mail address; then replay this delivery.",
    ),
    ("hello_customer", Cause.NOT_FOUND): (
        "Hello Customer does not know this touchpoint.",
        "{answered} {says} The touchpoint's id or the culture in the address is wrong, or the campaign is gone.",
        f"Copy the touchpoint's id from Hello Customer into {{connector}} once more, {REPLAY}",
    ),
    ("hello_customer", Cause.SLOW_DOWN): ("", "{answered} {says} Hello Customer takes one call a second. {wish}", ""),
    ("webhook", "delivered"): (
        "The address accepted the event.",
        "",
        "If it is missing there, ask whoever runs {host}.",
    ),
    ("webhook", Cause.KEY_REFUSED): (
        "The address refused us.",
        "{answered} {says} It does not accept our signature or the headers set here. We do not try again by ourselves.",
        f"Compare the signing secret and the headers of {{connector}} with those over there, {REPLAY}",
    ),
}
