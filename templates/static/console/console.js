/* The console's only script. Every page works without it; it copies, shows secrets, follows the open list, warns about
   unsaved changes, recomputes the preview and says in which time zone the reader is. */
(() => {
  "use strict";
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const say = (text) => {
    let box = document.getElementById("say");
    if (!box) {
      box = document.createElement("div");
      box.id = "say";
      box.className = "visually-hidden";
      box.setAttribute("role", "status");
      document.body.append(box);
    }
    box.textContent = text;
  };

  /* The server tells times in the reader's own zone: from the next page, or form, on it knows which. */
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) document.cookie = `timezone=${zone}; path=/; max-age=31536000; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
  if (zone) all("[data-zone]").forEach((note) => note.remove());

  const copied = (button) => {
    const was = button.textContent;
    button.textContent = "Copied";
    say("Copied");
    setTimeout(() => { button.textContent = was; }, 1500);
  };
  document.addEventListener("click", (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      const from = document.getElementById(copy.dataset.copy);
      navigator.clipboard.writeText((from.value || from.textContent).trim()).then(() => copied(copy), () => say("Could not copy"));
    }
    const reveal = event.target.closest("[data-reveal]");
    if (reveal) {
      const field = document.getElementById(reveal.dataset.reveal);
      field.type = field.type === "password" ? "text" : "password";
      reveal.firstChild.data = field.type === "password" ? "Show" : "Hide";
    }
    const replace = event.target.closest(".saved-secret > summary");
    if (replace) requestAnimationFrame(() => replaceSecret(replace.parentElement));
    const add = event.target.closest("[data-add-row]");
    if (add) addRow(add.dataset.addRow);
    const row = event.target.closest("tr[data-href]");
    if (row && !event.target.closest("a, button, input, label, select, details")) window.location = row.dataset.href;
    all(".filters details[open], .menu[open]").forEach((box) => { if (!box.contains(event.target) || event.target.closest(".menu a[href^='#']")) box.open = false; });
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    all(".filters details[open], .menu[open]").forEach((box) => { box.open = false; box.querySelector("summary").focus(); });
  });

  /* Whoever wants to replace a secret types it next; whoever keeps the saved one has typed nothing. */
  function replaceSecret(box) {
    const field = box.querySelector("input");
    if (box.open) field.focus();
    else if (field.value) {
      field.value = "";
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }

  /* Django's formsets: one more row from the template, with the next number. */
  function addRow(prefix) {
    const total = document.getElementById(`id_${prefix}-TOTAL_FORMS`);
    const row = document.getElementById(`${prefix}-empty`).content.cloneNode(true);
    const holder = document.createElement("tbody");
    holder.append(row);
    holder.innerHTML = holder.innerHTML.replaceAll("__prefix__", total.value);
    const made = holder.firstElementChild;
    document.getElementById(`${prefix}-rows`).append(made);
    total.value = Number(total.value) + 1;
    const first = made.querySelector("input, select");
    if (first) first.focus();
  }

  all("[data-check-all]").forEach((box) => box.addEventListener("change", () => {
    all("input[name=ids]").forEach((one) => { one.checked = box.checked; });
  }));
  all("input[name=ids]").forEach((box) => box.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault(); /* would press the form's first button */
  }));
  all("select[data-submit]").forEach((box) => box.addEventListener("change", () => box.form.submit()));

  /* j and k move along the list, Enter opens. */
  const rows = all("tr[data-href]");
  let at = -1;
  document.addEventListener("keydown", (event) => {
    if (!rows.length || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, button, a, summary")) return;
    if (event.key === "j" || event.key === "k") {
      rows[at]?.classList.remove("current");
      at = Math.max(0, Math.min(rows.length - 1, at + (event.key === "j" ? 1 : -1)));
      rows[at].classList.add("current");
      rows[at].scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && at >= 0) {
      window.location = rows[at].dataset.href;
    }
  });

  /* Live parts: the server says what changed, as text or as a finished piece of the page. */
  all("[data-poll]").forEach((part) => {
    let asking = false;
    const timer = setInterval(async () => {
      if (document.hidden || asking) return;
      asking = true;
      try {
        const answer = await fetch(part.dataset.poll, { headers: { "X-Requested-With": "fetch" } });
        if (!answer.ok || answer.redirected) { clearInterval(timer); return; }
        const text = await answer.text();
        /* Not from under somebody's fingers: whoever has the focus in it may be about to press Enter. */
        if (part.contains(document.activeElement)) return;
        if (text.trim() !== part.dataset.last) {
          part.innerHTML = text;
          part.dataset.last = text.trim();
        }
        if (answer.headers.get("X-Done")) {
          clearInterval(timer);
          if ("thenReload" in part.dataset) location.reload(); /* What can be done now is not what could be done before. */
        }
      } catch { /* The network is away: the next round tries again. */ } finally { asking = false; }
    }, Number(part.dataset.every || 5) * 1000);
  });

  /* While practice data is looked at, its made-up website goes on sending an event now and then. */
  all("form[data-tick]").forEach((form) => setInterval(() => {
    if (!document.hidden) fetch(form.action, { method: "POST", body: new FormData(form) }).catch(() => {});
  }, Number(form.dataset.tick) * 1000));

  /* What is chosen and not counted yet is not what the button beside it would do. */
  all("form[data-recount]").forEach((form) => form.addEventListener("change", () => {
    form.querySelector("[data-changed]").hidden = false;
    all(`#${form.dataset.recount} [type=submit]`).forEach((button) => { button.disabled = true; });
  }));

  /* A press that asks a service may take as long as that takes: it shows that it was felt, and is not pressed twice. */
  all("form[data-busy]").forEach((form) => form.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!button) return;
    const was = button.textContent;
    button.textContent = form.dataset.busy;
    say(form.dataset.busy);
    setTimeout(() => { button.disabled = true; });
    window.addEventListener("pageshow", () => { button.textContent = was; button.disabled = false; }, { once: true });
  }));

  /* Leaving with unsaved changes asks first. */
  let dirty = false;
  all("form[data-warn]").forEach((form) => {
    form.addEventListener("input", (event) => { if (!event.target.closest("[data-preview-only]")) dirty = true; });
    form.addEventListener("submit", () => { dirty = false; });
  });
  window.addEventListener("beforeunload", (event) => { if (dirty) event.preventDefault(); });

  /* The preview beside a form: recomputed by the server from what stands in the form, never saved, never sent. */
  all("form[data-preview]").forEach((form) => {
    const target = document.getElementById(form.dataset.target);
    const touched = new Set();
    let timer;
    const refresh = async () => {
      try {
        const body = new FormData(form);
        touched.forEach((name) => body.append("touched", name));
        const answer = await fetch(form.dataset.preview, { method: "POST", body });
        if (answer.ok && !answer.redirected) place(target, await answer.text());
      } catch { /* Stays as it was. */ }
    };
    form.addEventListener("input", (event) => {
      const paste = form.querySelector("option[value=paste]");
      if (event.target.name === "pasted") paste.selected = true; /* what is typed there is what is meant */
      if (event.target.name === "sample" && paste.selected) form.elements.pasted.closest("details").open = true;
      touched.add(event.target.name); /* nobody is told of a mistake in a field where they have not been yet */
      clearTimeout(timer);
      timer = setTimeout(refresh, 400);
    });
  });

  /* The answer holds the panel, and pieces for other places of the page: a field's mistakes, say. */
  function place(target, html) {
    const found = document.createElement("div");
    found.innerHTML = html;
    all("template[data-into]", found).forEach((piece) => {
      const at = document.getElementById(piece.dataset.into);
      if (at && at.innerHTML.trim() !== piece.innerHTML.trim()) {
        at.innerHTML = piece.innerHTML;
        const input = document.getElementById(piece.dataset.into.replace("errors-", "id_"));
        if (input) input.setAttribute("aria-invalid", String(at.childElementCount > 0));
      }
      piece.remove();
    });
    target.replaceChildren(...found.childNodes);
  }

  /* Beside a mapping: how often the field that is being typed was there lately. */
  document.addEventListener("input", (event) => {
    const note = event.target.parentElement.querySelector(":scope > [data-field-note]");
    if (!note) return;
    const known = all("#field-names option");
    const found = known.find((option) => option.value === event.target.value);
    note.textContent = found ? found.dataset.note : event.target.value && known.length ? "No recent identify event has this field." : "";
  });

  /* How strong a new password is, in a word. What the server refuses it refuses all the same. */
  const bits = (text) => {
    const kinds = [[/[a-z]/, 26], [/[A-Z]/, 26], [/[0-9]/, 10], [/[^a-zA-Z0-9]/, 33]];
    const each = Math.log2(kinds.reduce((sum, [kind, size]) => sum + (kind.test(text) ? size : 0), 1));
    /* A character that repeats or continues the one before adds little. */
    return Array.from(text).reduce((sum, one, at) => sum + each * (Math.abs(one.charCodeAt(0) - text.charCodeAt(at - 1)) < 2 ? 0.2 : 1), 0);
  };
  const strength = (text) => {
    if (text.length < 10) return [1, `too short, ${10 - text.length} more to go`];
    const found = bits(text);
    return found < 45 ? [1, "weak"] : found < 60 ? [2, "fair"] : found < 80 ? [3, "good"] : [4, "strong"];
  };
  all("input[data-strength]").forEach((field) => {
    const box = document.createElement("div");
    box.className = "strength small";
    box.hidden = true;
    box.innerHTML = '<meter min="0" max="4" low="2" high="3" optimum="4" aria-label="Strength of the password"></meter> <span role="status"></span>';
    field.after(box);
    field.addEventListener("input", () => {
      const [value, word] = strength(field.value);
      box.hidden = !field.value;
      box.firstChild.value = value;
      box.lastChild.textContent = `Strength: ${word}`;
    });
  });
})();
