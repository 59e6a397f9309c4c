"use strict";
// The editor keeps one draft, the JSON of a policy. Each control names its part by a pointer in `data-at`; after a
// change the server says what is wrong, what differs and what would be promised, and renders the form where its shape
// has changed.
(() => {
  const page = () => document.querySelector("[data-policy]");
  const proof = () => JSON.parse(document.body.getAttribute("hx-headers"));
  const json = () => document.querySelector("[data-json]");
  let draft = null;
  let waiting = 0;
  let asked = 0;
  let warnings = [];
  let errors = 0;
  let fold = "";

  const parts = (pointer) => pointer.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const part = (pointer) => parts(pointer).reduce((value, name) => value?.[name], draft);

  function put(pointer, value) {
    const path = parts(pointer);
    const last = path.pop();
    path.reduce((inner, name) => inner[name], draft)[last] = value;
  }

  function remove(pointer) {
    const path = parts(pointer);
    const last = path.pop();
    const holder = path.reduce((value, name) => value[name], draft);
    if (Array.isArray(holder)) holder.splice(Number(last), 1);
    else delete holder[last];
  }

  /** The values that are checked: those before in their order, the new ones after them. */
  function checked(box, before = []) {
    const now = [...box.querySelectorAll("input:checked")].map((each) => each.value);
    return [...before.filter((each) => now.includes(String(each))), ...now.filter((each) => !before.map(String).includes(each))];
  }

  const value = (text) => (text === "true" ? true : text === "false" ? false : text);

  function conditions(box, before) {
    const when = { ...before };
    for (const group of box.querySelectorAll("[data-fact]")) {
      const values = checked(group, when[group.dataset.fact]).map(value);
      if (values.length) when[group.dataset.fact] = values;
      else delete when[group.dataset.fact];
    }
    return when;
  }

  function length(box) {
    const count = Math.round(Number(box.querySelector("input").value) || 0); // below zero is refused, not mended
    const unit = box.querySelector("select").value;
    const sign = count < 0 ? "-" : "";
    return sign + (unit === "D" ? `P${Math.abs(count)}D` : `PT${Math.abs(count)}${unit}`);
  }

  function target(kind, before) {
    const requirement = before?.requirement ?? before?.in_hours?.requirement ?? "R60";
    const fresh = {
      wall: () => ({ kind, length: before?.length ?? "PT1H", requirement }),
      working: () => ({ kind, length: before?.length ?? "PT1H", requirement }),
      next_working_day: () => ({ kind, by: "09:00:00", at_least: "PT1H", strict: false, requirement }),
      appointed: () => ({ kind, fact: "starts_at", grace: "PT0S", requirement }),
      by_hours: () => ({ kind, in_hours: target("wall", { requirement, length: before?.length }), out_of_hours: null, carry: false }),
    };
    return kind ? fresh[kind]() : null;
  }

  function take(control) {
    const box = control.closest("[data-at]");
    const { at, kind } = box.dataset;
    const before = part(at);
    switch (kind) {
      case "number": put(at, Number(control.value) || 0); break;
      case "yes": put(at, control.checked); break;
      case "list": put(at, checked(box, before)); break;
      case "when": put(at, conditions(box, before)); break;
      case "length": put(at, length(box)); break;
      case "time": put(at, control.value.length === 5 ? `${control.value}:00` : control.value); break;
      case "target": put(at, target(control.value, before)); break;
      default: put(at, control.value);
    }
    refresh(kind === "target" || at.endsWith("/about"));
  }

  const OWN = "house";
  const ADDED = {
    "add-case": () => ({ when: {}, target: target("wall", null) }),
    "add-waiting": () => ({ kind: "waiting", begins: [], ends: [], reason: "waiting" }),
    "add-wish": () => ({ kind: "at_customers_wish", agreed: "dispatch.visit_agreed", reason: "customers_wish" }),
    "add-step": (steps) => step(steps),
    "add-promise": (promises) => ({
      code: `${OWN}_${promises.length + 1}`, about: "ticket", per: "episode", starts: ["dispatch.ticket_opened"], unless: [],
      stops: ["dispatch.ticket_closed"], cancels: [], pauses: [], cases: [ADDED["add-case"]()], regrades_past: false,
      ladder: [{ at: 75, tell: ["owner"], minutes_after: 0 }, { at: 100, tell: ["owner", "supervisor"], minutes_after: 0 }],
      is_response: false, enabled: true,
    }),
  };

  /** The next rung: after the last one, as a ladder rises. */
  function step(steps) {
    const last = steps.at(-1);
    if (!last) return { at: 100, tell: ["owner"], minutes_after: 0 };
    if (last.at < 100) return { at: Math.min(100, last.at + 10), tell: ["owner"], minutes_after: 0 };
    return { at: 100, tell: ["leadership"], minutes_after: last.minutes_after + 30 };
  }

  function act(button) {
    const { act: what, of } = button.dataset;
    if (what === "remove") remove(of);
    else part(of).push(ADDED[what](part(of)));
    refresh(true);
    if (what === "add-promise") fold = `${of}/${part(of).length - 1}`; // opens when the server has rendered it
  }

  // What the server says.

  function trial() {
    const box = document.querySelector("[data-trial]");
    const about = box.querySelector("[data-about]").value;
    const facts = {};
    for (const label of box.querySelectorAll("[data-for]")) {
      label.hidden = !label.dataset.for.split(" ").includes(about);
      const field = label.querySelector("[data-try]");
      if (!label.hidden && field.value) facts[field.dataset.try] = value(field.value);
    }
    return { start: box.querySelector("[data-start]").value, about, facts };
  }

  function refresh(shape = false) {
    json().value = JSON.stringify(draft, null, 2);
    document.querySelector("[data-json-error]").hidden = true; // the form has written over what could not be read
    ask(shape);
  }

  function ask(shape) {
    clearTimeout(waiting);
    page().dataset.shape = shape || page().dataset.shape === "true";
    waiting = setTimeout(submit, 250);
  }

  async function submit() {
    const number = ++asked;
    const withForm = page().dataset.shape === "true";
    page().dataset.shape = "false";
    const body = { policy: draft, against: Number(page().dataset.against), ...trial(), with_form: withForm };
    const answer = await fetch("/sla/policies/draft", {
      method: "POST",
      headers: { "content-type": "application/json", accept: "text/html, application/problem+json", "hx-request": "true", ...proof() },
      body: JSON.stringify(body),
    }).catch(() => null);
    if (!answer || number !== asked) return; // a newer one is on its way
    if (answer.ok) return show(await answer.text());
    if (withForm) page().dataset.shape = "true"; // the next one that can be read brings the form
    refuse(await answer.json());
  }

  function show(text) {
    const parsed = new DOMParser().parseFromString(text, "text/html");
    const focus = document.activeElement?.closest("[data-at]")?.dataset.at;
    const opened = [fold, ...document.querySelectorAll("details[open][data-fold]")].map((each) => each.dataset?.fold ?? each);
    for (const part of parsed.querySelectorAll("[data-swap]")) {
      const slot = document.querySelector(`[data-slot="${part.dataset.swap}"]`);
      slot.replaceChildren(...part.childNodes);
      if (part.dataset.swap !== "form") continue;
      for (const fold of opened) slot.querySelector(`[data-fold="${CSS.escape(fold)}"]`)?.setAttribute("open", "");
      if (focus) slot.querySelector(`[data-at="${CSS.escape(focus)}"]`)?.focus();
    }
    beside();
  }

  /** What could not even be read as a policy, in the place of the findings. */
  function refuse(problem) {
    const list = document.createElement("ol");
    list.className = "findings";
    for (const each of problem.errors ?? [{ pointer: "", detail: problem.detail }]) {
      const item = document.createElement("li");
      item.className = item.dataset.level = "error";
      item.dataset.pointer = each.pointer.replace(/^\/policy/, "");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "quiet";
      button.textContent = each.detail;
      item.append(button);
      list.append(item);
    }
    document.querySelector('[data-slot="findings"]').replaceChildren(list);
    beside();
  }

  /** The element that stands for the longest part of a pointer. */
  function place(pointer) {
    for (let path = pointer; path; path = path.slice(0, path.lastIndexOf("/"))) {
      const exact = CSS.escape(path);
      const found = document.querySelector(`[data-slot="form"] :is([data-at="${exact}"], [data-part="${exact}"])`);
      if (found) return found;
    }
    return document.querySelector('[data-slot="form"]');
  }

  /** Promise and field, as the form calls them. */
  function named(spot) {
    const promise = spot.closest(".promise-card")?.querySelector("h3")?.textContent;
    const own = spot.querySelector(":scope > legend")?.textContent ?? spot.getAttribute("aria-label");
    const label = spot.matches("input, select") ? spot.closest("label")?.firstChild.textContent : own;
    return [promise, label].filter(Boolean).join(" · ");
  }

  function unfold(spot) {
    for (let fold = spot.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  }

  /** Each finding once more, beside the field it is about. */
  function beside() {
    for (const old of document.querySelectorAll(".beside")) old.remove();
    for (const old of document.querySelectorAll("[aria-invalid]")) old.removeAttribute("aria-invalid");
    warnings = [];
    errors = 0;
    for (const finding of document.querySelectorAll(".findings li")) {
      const text = finding.querySelector("button").textContent;
      const spot = place(finding.dataset.pointer);
      const name = named(spot);
      if (finding.dataset.level === "error") errors += 1;
      else warnings.push([name, text].filter(Boolean).join(": "));
      if (name) finding.prepend(Object.assign(document.createElement("span"), { className: "soft small", textContent: name }));
      const note = document.createElement("p");
      note.className = `beside ${finding.dataset.level}`;
      note.textContent = text;
      if (spot.matches("input, select")) {
        spot.setAttribute("aria-invalid", "true");
        spot.closest("label").after(note);
      } else if (spot.matches("details")) spot.querySelector("summary").after(note);
      else spot.prepend(note);
      unfold(spot);
    }
    document.querySelector("[data-count]").textContent = errors + warnings.length || "";
  }

  function go(pointer) {
    const spot = place(pointer);
    unfold(spot);
    spot.scrollIntoView({ block: "center" });
    (spot.matches("input, select") ? spot : spot.querySelector("input, select, summary, button"))?.focus();
  }

  function read() {
    const error = document.querySelector("[data-json-error]");
    try {
      draft = JSON.parse(json().value);
      error.hidden = true;
      ask(true);
    } catch {
      clearTimeout(waiting);
      asked += 1; // what is still on its way is about another text
      error.textContent = error.dataset.text;
      error.hidden = false;
      refuse({ detail: error.dataset.text });
    }
  }

  // Publishing.

  const dialog = () => document.getElementById("publish");
  const key = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  function openDialog() {
    const box = dialog().querySelector("[data-warnings]");
    box.hidden = !warnings.length;
    box.querySelector("ul").replaceChildren(...warnings.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
    box.querySelector("[data-accept]").checked = false;
    tell(errors ? dialog().querySelector("[data-refused]").dataset.errors : "");
    dialog().querySelector("[data-publish]").disabled = errors > 0;
    dialog().dataset.key = key();
    dialog().showModal();
  }

  function tell(text) {
    const line = dialog().querySelector("[data-refused]");
    line.textContent = text;
    line.hidden = !text;
  }

  async function publish() {
    const from = dialog().querySelector("[data-from]").value;
    const body = {
      policy: draft,
      note: dialog().querySelector("[data-note]").value,
      accept_warnings: dialog().querySelector("[data-accept]").checked,
      ...(from ? { valid_from: new Date(from).toISOString() } : {}),
    };
    const answer = await fetch("/sla/policies", {
      method: "POST",
      headers: {
        "content-type": "application/json", accept: "application/json", "idempotency-key": dialog().dataset.key,
        "if-match": `"${page().dataset.newest}"`, ...proof(),
      },
      body: JSON.stringify(body),
    }).catch(() => null);
    if (!answer) return tell(dialog().querySelector("[data-refused]").dataset.offline);
    if (answer.ok) return location.assign(`/sla/policies/${(await answer.json()).version}`);
    dialog().dataset.key = key(); // what is sent next is another request
    const problem = await answer.json();
    return tell(problemText(problem));
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (!page()) return;
    draft = JSON.parse(json().value);
    document.addEventListener("change", ({ target: control }) => {
      if (control.closest('[data-slot="form"] [data-at]')) take(control);
      else if (control.closest("[data-trial]")) ask(false);
      else if (control === json()) read();
    });
    document.addEventListener("click", ({ target: clicked }) => {
      const button = clicked.closest("button");
      if (!button) return;
      if (button.dataset.act) act(button);
      else if (button.closest(".findings")) go(button.closest("li").dataset.pointer);
      else if (button.dataset.open) openDialog();
      else if ("publish" in button.dataset) publish();
      else if ("close" in button.dataset) dialog().close();
    });
    ask(false);
  });
})();
