"use strict";
// The dispatch board: draws the hours, and gives a ticket to an engineer by drag, by keyboard and by two taps. What is
// chosen or dragged is known by its id alone, so that rows which the server writes anew meanwhile disturb nothing.
(() => {
  const FAR = 6; // px that a pointer moves before it drags
  const EDGE = 70; // px from the edge of the screen where a drag scrolls
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  const key = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const notice = () => document.getElementById("notice").dataset;
  const lineOf = (person) => $(`.lane[data-person="${CSS.escape(person)}"]`);
  let board, dialog, sheet;
  let chosen = null; // the ticket: its id, number and version, and what is said of whom
  let [drag, about] = [null, null]; // about: whom the dialog is about

  const announce = (text) => ($("[data-announce]").textContent = text);

  function complain(text) {
    $("#notice p").textContent = text;
    $("#notice").hidden = false;
  }

  // The hours

  const ahead = Date.parse(document.documentElement.dataset.now) - Date.now(); // by the server's clock

  function share(instant) {
    const { from, to } = board.dataset;
    return ((instant - from) / (to - from)) * 100;
  }

  /** Where each block lies between the first hour and the last; what lies outside is cut or not drawn. */
  function draw() {
    for (const piece of $$(".piece")) {
      const from = Math.max(0, share(piece.dataset.from));
      const to = Math.min(100, share(piece.dataset.to));
      piece.classList.toggle("outside", to <= 0 || from >= 100);
      piece.style.left = `${from}%`;
      piece.style.width = `${Math.max(0, to - from)}%`;
    }
    for (const line of $$(".track [data-at]")) {
      const at = share(line.dataset.at);
      line.classList.toggle("outside", at < 0 || at > 100);
      line.style.left = `${at}%`;
    }
  }

  function tick() {
    const now = share(Date.now() + ahead);
    board.classList.toggle("present", now >= 0 && now <= 100);
    board.style.setProperty("--now", `${now}%`);
  }

  // The ticket that is chosen

  async function choose(id, { byKeyboard = false } = {}) {
    const before = chosen?.id === id ? chosen : null;
    const { number, version } = $(`[data-ticket="${CSS.escape(id)}"]`)?.dataset ?? before;
    const next = (chosen = { id, number, version: Number(version), said: before?.said ?? new Map() });
    next.ready = load(next, $("details", sheet)?.open && before);
    mark();
    if (!(await next.ready) || chosen !== next || drag || before) return;
    announce(`${fill(board.dataset.chosen, next)} ${$(".sum", sheet).textContent}`);
    if (byKeyboard) ([...next.said.keys()].map(lineOf).find(Boolean) ?? $(".lane"))?.querySelector("[data-engineer]").focus();
    else if (matchMedia("(max-width: 64rem)").matches) $(".engineers").scrollIntoView();
  }

  /** The verdict on everybody; whether there is one. */
  async function load(next, isOpen) {
    const query = new URLSearchParams(board.dataset.query);
    for (const name of ["page", "day"]) query.delete(name);
    const answer = await fetch(`/dispatch/board/tickets/${next.id}?${query}`, { headers: { accept: "text/html" } }).catch(() => null);
    const html = answer?.ok && !answer.redirected ? await answer.text() : null;
    if (chosen !== next) return false;
    if (html === null) return leave(), complain(answer ? notice().failed : notice().offline), false;
    const template = document.createElement("template");
    template.innerHTML = html; // our own fragment, escaped by the server; scripts in it would not run
    const fit = template.content.querySelector("[data-fit]");
    next.version = Number(fit.dataset.version);
    next.number = fit.dataset.number;
    next.said = new Map($$("[data-of]", fit).map((each) => [each.dataset.of, each]));
    $("details", fit).open = Boolean(isOpen);
    sheet.replaceChildren(fit);
    sheet.hidden = false;
    mark();
    return true;
  }

  function leave() {
    chosen = null;
    sheet.hidden = true;
    sheet.replaceChildren();
    mark();
  }

  /** What is said of each engineer stands beside them, also where their row is written anew. */
  function mark() {
    board.classList.toggle("choosing", Boolean(chosen));
    for (const each of $$("[data-ticket]", board)) {
      const pressed = String(each.dataset.ticket === chosen?.id);
      if (each.getAttribute("aria-pressed") !== pressed) each.setAttribute("aria-pressed", pressed);
    }
    for (const line of $$(".lane")) {
      const said = chosen?.said.get(line.dataset.person);
      const place = $("[data-verdict]", line);
      line.dataset.fit = said?.dataset.verdict ?? "";
      Object.assign(place, { hidden: !said, className: `verdict chip ${said?.dataset.tone ?? ""}`, textContent: said ? $("span", said).textContent : "" });
    }
  }

  /** Rows came: draw them, and ask anew where they know a later version of the ticket that is chosen. */
  function renew() {
    draw();
    mark();
    rove($(".grid :focus") ?? $('.grid [tabindex="0"]') ?? $(".grid [data-engineer]"));
    const newer = chosen && $$(`[data-ticket="${CSS.escape(chosen.id)}"]`, board).some((each) => Number(each.dataset.version) > chosen.version);
    if (newer && !dialog.open && !drag) choose(chosen.id);
  }

  async function give(person) {
    if (!chosen) return announce(board.dataset.first);
    const next = chosen;
    if (!(await next.ready) || chosen !== next) return;
    const said = next.said.get(person);
    if (!said || said.dataset.verdict === "holds") return said && announce($("span", said).textContent);
    about = { person, name: said.dataset.name, key: key() };
    $("form", dialog).reset();
    $("[name=reason]", dialog).value = said.dataset.reason;
    $("[data-faster]", dialog).hidden = true;
    tell("");
    show();
    dialog.showModal();
    (about.codes.length ? $("[name=despite]", dialog) : $(".primary", dialog)).focus();
  }

  /** What is said of this person and ticket right now. */
  function show() {
    const said = chosen.said.get(about.person);
    const title = $("#assign-head");
    title.textContent = fill(title.dataset.title, { ...chosen, name: about.name });
    Object.assign($("[data-verdict]", dialog), { textContent: said ? $("span", said).textContent : "", className: `chip ${said?.dataset.tone ?? "plain"}` });
    object($$("[data-code]", said ?? document.createElement("ul")).map((each) => ({ code: each.dataset.code, detail: each.textContent })));
    $(".primary", dialog).disabled = !("open" in $("[data-fit]", sheet).dataset);
  }

  function object(objections) {
    about.codes = objections.map((each) => each.code);
    $("[data-against]", dialog).hidden = !objections.length;
    Object.assign($("[name=despite]", dialog), { required: objections.length > 0, checked: false });
    $(".objections", dialog).replaceChildren(...objections.map((each) => Object.assign(document.createElement("li"), { textContent: each.detail })));
  }

  function tell(text) {
    Object.assign($("[data-wrong]", dialog), { textContent: text, hidden: !text });
  }

  async function submit(event) {
    event.preventDefault();
    const button = Object.assign($(".primary", dialog), { disabled: true });
    const body = { base_version: chosen.version, person_id: about.person, reason: $("[name=reason]", dialog).value, despite: about.codes };
    const answer = await fetch(`/dispatch/tickets/${chosen.id}/assign`, {
      method: "POST",
      headers: { accept: "application/json", "content-type": "application/json", "idempotency-key": about.key, ...JSON.parse(document.body.getAttribute("hx-headers")) },
      body: JSON.stringify(body),
    }).catch(() => null);
    button.disabled = false;
    if (!answer) return tell(notice().offline); // sent once more with the same key it is done once
    about.key = key();
    const told = answer.headers.get("content-type")?.includes("json") ? await answer.json() : {};
    if (answer.ok) return done();
    tell("");
    if (told.objections) return object(told.objections);
    if (answer.status === 409 || answer.status === 412) return faster(told);
    tell(globalThis.problemText(told) || notice().failed);
  }

  function done() {
    announce(fill(board.dataset.done, { ...chosen, name: about.name }));
    leave();
    dialog.close();
    lineOf(about.person)?.querySelector("[data-engineer]").focus();
  }

  /** Somebody else was there before: how it is now stands in the dialog, and what was written stays. */
  async function faster(told) {
    const card = $("[data-faster]", dialog);
    card.replaceChildren(Object.assign(document.createElement("p"), { textContent: `${board.dataset.faster} ${told.detail ?? ""}` }));
    card.hidden = false;
    await choose(chosen.id);
    if (!chosen || !(await chosen.ready)) return;
    card.append($("[data-state]", sheet).cloneNode(true));
    show();
  }

  // By keyboard: one stop in the grid, the arrow keys go on from there

  function rove(target) {
    for (const each of $$('.grid [tabindex="0"]')) if (each !== target) each.tabIndex = -1;
    if (target) target.tabIndex = 0;
  }

  const STEPS = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] };

  function walk(event) {
    const [down, right] = STEPS[event.key] ?? [0, 0];
    const list = event.target.closest(".queue") ? $$(".queue [data-ticket]") : null;
    if (list && down) return step(event, list[list.indexOf(event.target) + down]);
    const line = event.target.closest(".lane");
    if (!line) return;
    const cells = $$("button", line);
    if (right) return step(event, cells[cells.indexOf(event.target) + right]);
    const lines = $$(".lane");
    const next = { Home: lines[0], End: lines.at(-1) }[event.key] ?? (down && lines[lines.indexOf(line) + down]);
    if (next) step(event, $$("button", next)[cells.indexOf(event.target)] ?? $("button", next));
  }

  function step(event, target) {
    event.preventDefault();
    target?.focus();
  }

  function pressed(event) {
    if (dialog.open || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && drag) return drop(null);
    if (event.key === "Escape" && chosen) {
      const ticket = $(`[data-ticket="${CSS.escape(chosen.id)}"]`);
      return leave(), ticket?.focus();
    }
    walk(event);
  }

  // By mouse or pen; a finger scrolls, and taps the one and then the other

  function take(event) {
    const ticket = event.target.closest("[data-ticket]");
    if (!ticket || event.button !== 0 || event.pointerType === "touch") return;
    drag = { id: ticket.dataset.ticket, words: $(".name", ticket)?.textContent ?? ticket.textContent, x: event.clientX, y: event.clientY, ghost: null };
  }

  function move(event) {
    if (!drag) return;
    const { clientX, clientY } = event;
    if (!drag.ghost && Math.hypot(clientX - drag.x, clientY - drag.y) < FAR) return;
    if (!drag.ghost) {
      drag.ghost = Object.assign(document.createElement("div"), { className: "ghost", textContent: drag.words });
      document.body.append(drag.ghost);
      document.documentElement.classList.add("dragging");
      if (chosen?.id !== drag.id) choose(drag.id);
    }
    drag.ghost.style.translate = `${clientX + 12}px ${clientY + 12}px`;
    const over = document.elementFromPoint(clientX, clientY)?.closest(".lane")?.dataset.person;
    for (const line of $$(".lane")) line.classList.toggle("over", line.dataset.person === over);
    if (clientY < EDGE || clientY > innerHeight - EDGE) scrollBy(0, clientY < EDGE ? -18 : 18);
  }

  function drop(event) {
    const dragged = drag;
    drag = null;
    if (!dragged?.ghost) return;
    const person = event && document.elementFromPoint(event.clientX, event.clientY)?.closest(".lane")?.dataset.person; // before the sheet is back
    dragged.ghost.remove();
    document.documentElement.classList.remove("dragging");
    for (const line of $$(".lane.over")) line.classList.remove("over");
    addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", swallow, { capture: true }));
    person ? give(person) : renew();
  }

  const swallow = (event) => (event.stopPropagation(), event.preventDefault());

  function clicked(event) {
    const { target } = event;
    const ticket = target.closest("[data-ticket]");
    if (target.closest("[data-leave]")) return leave();
    if (ticket) return ticket.dataset.ticket === chosen?.id ? leave() : choose(ticket.dataset.ticket, { byKeyboard: event.detail === 0 });
    const person = target.closest("[data-give]")?.dataset.give ?? (target.closest("[data-engineer]") || chosen ? target.closest(".lane")?.dataset.person : null);
    if (person) give(person);
  }

  document.addEventListener("DOMContentLoaded", () => {
    [board, dialog, sheet] = ["[data-board]", "#assign", "[data-sheet]"].map((each) => $(each));
    board.classList.add("drawn");
    board.addEventListener("click", clicked);
    board.addEventListener("pointerdown", take);
    board.addEventListener("focusin", ({ target }) => target.closest(".grid") && rove(target));
    document.addEventListener("pointermove", move);
    document.addEventListener("pointerup", drop);
    document.addEventListener("pointercancel", () => drop(null));
    document.addEventListener("keydown", pressed);
    dialog.addEventListener("submit", submit);
    $("[data-close]", dialog).addEventListener("click", () => dialog.close());
    $(".pick")?.addEventListener("change", (event) => event.currentTarget.requestSubmit());
    for (const list of $$("[data-feed]", board)) new MutationObserver(renew).observe(list, { childList: true });
    renew();
    tick();
    setInterval(tick, 30_000);
  });
})();
