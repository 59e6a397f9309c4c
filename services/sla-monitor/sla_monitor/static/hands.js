"use strict";
// What somebody does about one row of the board. A dialog asks what there is to say; what became of it stands beside
// the row, also where the row is written anew meanwhile or has changed sides.
(() => {
  const SAID = 60_000; // ms that an outcome stays beside its row
  const said = new Map(); // by row
  const proof = () => JSON.parse(document.body.getAttribute("hx-headers"));
  const words = () => document.getElementById("notice").dataset;
  const rowOf = (element) => element?.closest?.(".board [data-row]");
  const rowAt = (id) => document.querySelector(`.board [data-row="${CSS.escape(id)}"]`);
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  const key = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  function say(id, text, tone) {
    if (!rowAt(id)) return tell(text); // it is over, and its row has gone
    clearTimeout(said.get(id)?.ends);
    said.set(id, { text, tone, ends: setTimeout(() => (said.delete(id), show()), SAID) });
    document.querySelector("[data-announce]").textContent = text;
    show();
  }

  function tell(text) {
    const notice = document.getElementById("notice");
    notice.querySelector("p").textContent = text;
    notice.hidden = false;
  }

  /** Each outcome beside its row, wherever that is now. */
  function show() {
    for (const line of document.querySelectorAll(".board .said")) if (!said.has(rowOf(line).dataset.row)) line.remove();
    for (const [id, { text, tone }] of said) {
      const row = rowAt(id);
      if (!row) continue;
      const line = row.querySelector(".said") ?? row.appendChild(document.createElement("p"));
      const named = `said small ${tone}`;
      if (line.className !== named) line.className = named;
      if (line.textContent !== text) line.textContent = text;
    }
  }

  /** The answer of a service; what it refuses is thrown with its problem, and no answer at all as `null`. */
  async function ask(method, address, { body, headers } = {}) {
    const answer = await fetch(address, {
      method,
      headers: { accept: "application/json", ...(body ? { "content-type": "application/json" } : {}), ...proof(), ...headers },
      ...(body ? { body: JSON.stringify(body) } : {}),
    }).catch(() => null);
    const isJson = answer?.headers.get("content-type")?.includes("json");
    const told = isJson ? await answer.json() : null;
    if (answer?.ok) return told;
    const detail = !answer ? words().offline : told?.detail || words().failed;
    throw Object.assign(new Error(detail), { status: answer?.status ?? 0, problem: told });
  }

  // Dialogs: one at a time, about one row.

  let about = null; // the row's id, and what the dialog was opened with

  function open(dialog, row, more) {
    about = { row: row.dataset.row, key: key(), ...more };
    const form = dialog.querySelector("form");
    form.reset();
    dialog.querySelector("[data-about]").textContent = `${row.querySelector(".promise strong").textContent} · ${row.querySelector(".title").textContent.trim()}`;
    wrong(dialog, "");
    dialog.showModal();
  }

  function wrong(dialog, text) {
    const line = dialog.querySelector("[data-wrong]");
    line.textContent = text;
    line.hidden = !text;
  }

  /** What can be put right where it was written stays in the dialog, everything else stands beside the row. */
  async function refused(dialog, error) {
    about.key = key(); // what is sent next is another request
    const objections = error.problem?.objections;
    if (objections) {
      // Sent once more, it says what it knows of this person.
      about.known = { person: dialog.querySelector("select").value, codes: objections.map((each) => each.code) };
      return wrong(dialog, fill(dialog.dataset.despite, { said: objections.map((each) => each.detail).join(" · ") }));
    }
    if (error.status === 422) {
      return wrong(dialog, problemText(error.problem) || error.message);
    }
    const { row } = about;
    dialog.close();
    say(row, [error.message, await HANDS[dialog.id]?.present?.(error)].filter(Boolean).join(" "), "bad");
  }

  async function submit(dialog, form) {
    const button = form.querySelector(".primary");
    button.disabled = true;
    const { row } = about;
    try {
      const done = await HANDS[dialog.id].send(new FormData(form), dialog);
      dialog.close();
      say(row, done, "good");
    } catch (error) {
      await refused(dialog, error);
    } finally {
      button.disabled = false;
    }
  }

  // Reassign: dispatch has the ticket, its people, and the say in who may give it to whom.

  const REASSIGN = "hand-reassign";
  const ticketOf = (id) => ask("GET", `/dispatch/tickets/${id}`);
  const stateOf = (dialog, code) => Object.fromEntries(dialog.dataset.states.split(";").map((each) => each.split("=")))[code] ?? code;

  async function openReassign(row) {
    const dialog = document.getElementById(REASSIGN);
    const { subject, why } = row.querySelector(".hands").dataset;
    const ticket = await ticketOf(subject);
    if (!ticket.allowed.includes("assign")) throw new Error(fill(dialog.dataset.over, { state: stateOf(dialog, ticket.state) }));
    const { items } = await ask("GET", `/dispatch/people?role=engineer&region=${encodeURIComponent(ticket.site.region)}&limit=200`);
    const names = new Map(items.map((each) => [each.id, each.display_name]));
    const others = items.filter((each) => each.id !== ticket.engineer_id);
    if (!others.length) throw new Error(dialog.dataset.none);
    choose(dialog.querySelector("select"), others, ticket.decisions[0]?.candidates ?? []);
    open(dialog, row, { subject, version: ticket.version, names });
    dialog.querySelector("datalist option").value = why; // offered, not said for them
  }

  /** Whom the rules weighed for this ticket, the best first, before those they did not. */
  function choose(select, people, candidates) {
    const costs = new Map(candidates.filter((each) => each.cost !== null).map((each) => [each.person_id, each.cost]));
    const suggested = people.filter((each) => costs.has(each.id)).sort((a, b) => costs.get(a.id) - costs.get(b.id));
    const others = people.filter((each) => !costs.has(each.id));
    const group = (label, list) => {
      const found = Object.assign(document.createElement("optgroup"), { label });
      found.append(...list.map((each) => new Option([each.display_name, each.centre].filter(Boolean).join(" · "), each.id)));
      return found;
    };
    const groups = [[select.dataset.suggested, suggested], [select.dataset.others, others]];
    select.replaceChildren(...groups.filter(([, list]) => list.length).map(([label, list]) => group(label, list)));
    select.selectedIndex = 0;
  }

  async function sendReassign(given, dialog) {
    const person = given.get("person_id");
    await ask("POST", `/dispatch/tickets/${about.subject}/assign`, {
      body: { person_id: person, reason: given.get("reason"), despite: about.known?.person === person ? about.known.codes : [] },
      headers: { "if-match": `"${about.version}"`, "idempotency-key": about.key },
    });
    return fill(dialog.dataset.done, { name: about.names.get(person) });
  }

  /** Somebody was faster: how it is now. */
  async function presentReassign({ status }) {
    if (status !== 409 && status !== 412) return "";
    const dialog = document.getElementById(REASSIGN);
    const ticket = await ticketOf(about.subject).catch(() => null);
    if (!ticket) return "";
    const known = ticket.decisions[0]?.candidates.find((each) => each.person_id === ticket.engineer_id)?.display_name;
    const name = known ?? about.names.get(ticket.engineer_id) ?? (ticket.engineer_id ? `…${ticket.engineer_id.slice(-6)}` : dialog.dataset.nobody);
    return fill(dialog.dataset.now, { state: stateOf(dialog, ticket.state), name });
  }

  // Tell leadership: of the row's promise, whatever its ladder has come to.

  const LEADERSHIP = "hand-leadership";

  /** Where nobody would hear of it, that is said before and not after. */
  function openLeadership(row) {
    const dialog = document.getElementById(LEADERSHIP);
    const isDeaf = "deaf" in row.querySelector(".hands").dataset;
    dialog.querySelector("[data-reached]").hidden = isDeaf;
    dialog.querySelector(".primary").disabled = isDeaf; // before it opens: it has the focus then
    open(dialog, row);
    if (isDeaf) wrong(dialog, dialog.dataset.deaf);
  }

  async function sendLeadership(given, dialog) {
    await ask("POST", `/sla/clocks/${about.row}/leadership`, { headers: { "idempotency-key": about.key } });
    return dialog.dataset.done;
  }

  // Pause for a reason, and let it count again.

  const PAUSE = "hand-pause";
  const RESUME = "hand-resume";

  const plainly = (id) => (row) => open(document.getElementById(id), row);

  async function sendTo(what, dialog, body) {
    await ask("POST", `/sla/clocks/${about.row}/${what}`, { body, headers: { "idempotency-key": about.key } });
    return dialog.dataset.done;
  }

  function sendPause(given, dialog) {
    const until = given.get("until");
    return sendTo("pause", dialog, {
      reason: given.get("reason"),
      note: given.get("note"),
      whole: given.has("whole"),
      ...(until ? { until: `${until.length === 16 ? `${until}:00` : until}${dialog.dataset.offset}` } : {}),
    });
  }

  const sendResume = (given, dialog) => sendTo("resume", dialog, { whole: given.has("whole") });

  const HANDS = {
    [REASSIGN]: { open: openReassign, send: sendReassign, present: presentReassign },
    [LEADERSHIP]: { open: openLeadership, send: sendLeadership },
    [PAUSE]: { open: plainly(PAUSE), send: sendPause },
    [RESUME]: { open: plainly(RESUME), send: sendResume },
  };
  const KEYS = { r: "reassign", l: "leadership", p: "pause" };

  async function begin(button) {
    const row = rowOf(button);
    const id = row.dataset.row;
    button.disabled = true;
    try {
      await HANDS[`hand-${button.dataset.hand}`].open(row, button);
    } catch (error) {
      say(id, error.message, "bad");
    } finally {
      button.disabled = false;
    }
  }

  /** The browser gives the focus back to the button, unless its row was written anew meanwhile. */
  function restore({ id }) {
    if (document.activeElement !== document.body) return;
    rowAt(about.row)?.querySelector(`[data-hand="${id.replace("hand-", "")}"]`)?.focus();
  }

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not(.pick), select, textarea, dialog")) return;
    const hand = KEYS[event.key.toLowerCase()];
    const wanted = hand === "pause" ? '[data-hand="pause"], [data-hand="resume"]' : `[data-hand="${hand}"]`;
    const button = hand && rowOf(document.activeElement)?.querySelector(wanted);
    if (!button?.checkVisibility()) return;
    event.preventDefault();
    begin(button);
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelector(".board").addEventListener("click", ({ target }) => {
      const button = target.closest("[data-hand]");
      if (button) begin(button);
    });
    for (const dialog of document.querySelectorAll('dialog[id^="hand-"]')) {
      dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
      dialog.addEventListener("close", () => restore(dialog));
      dialog.querySelector("form").addEventListener("submit", (event) => {
        event.preventDefault();
        submit(dialog, event.target);
      });
    }
    document.addEventListener("keydown", pressed);
    for (const list of document.querySelectorAll(".board [data-feed]")) new MutationObserver(show).observe(list, { childList: true });
  });
})();
