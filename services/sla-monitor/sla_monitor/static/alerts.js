"use strict";
// Alerts worked through by mouse or keyboard, many at a time. What was seen is what is changed: each goes with
// its version, and whatever has changed meanwhile is left as it is.
(() => {
  const EVERY = 10_000; // ms between looks at what is new
  const chosen = new Set();
  let looks = 0;
  const body = () => document.getElementById("alerts");
  const rows = () => [...body().querySelectorAll("tr[data-id]")];
  const box = (row) => row.querySelector("input");
  const bar = document.querySelector(".chosen");
  const ahead = Date.parse(document.documentElement.dataset.now) - Date.now();

  function show() {
    const present = new Set(rows().map((row) => row.dataset.id));
    for (const id of chosen) if (!present.has(id)) chosen.delete(id);
    for (const row of rows()) {
      const picked = chosen.has(row.dataset.id);
      row.classList.toggle("picked", picked);
      if (box(row)) box(row).checked = picked;
    }
    if (!bar) return;
    bar.hidden = !chosen.size;
    const said = bar.querySelector("[data-said]");
    said.textContent = said.dataset.said.replace("{}", chosen.size);
    const all = document.querySelector("thead [data-all]");
    all.checked = chosen.size > 0 && rows().every((row) => box(row).disabled || chosen.has(row.dataset.id));
  }

  function choose(row, value) {
    if (!box(row) || box(row).disabled) return;
    value ? chosen.add(row.dataset.id) : chosen.delete(row.dataset.id);
    show();
  }

  async function refresh() {
    const look = ++looks;
    const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
    if (!answer?.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("alerts");
    if (!fresh || look !== looks) return; // what was asked for later is newer
    const focused = document.activeElement?.closest?.("tr[data-id]")?.dataset.id;
    const unfolded = new Set(rows().filter((row) => row.querySelector("details[open]")).map((row) => row.dataset.id));
    body().replaceWith(document.adoptNode(fresh));
    for (const row of rows()) if (unfolded.has(row.dataset.id)) row.querySelector("details")?.setAttribute("open", "");
    show();
    if (focused) rows().find((row) => row.dataset.id === focused)?.focus();
  }

  async function send(deed, more) {
    const alerts = rows().filter((row) => chosen.has(row.dataset.id)).map(({ dataset }) => ({ id: dataset.id, version: Number(dataset.version) }));
    if (!alerts.length) return;
    const headers = { "content-type": "application/json", ...JSON.parse(document.body.getAttribute("hx-headers")) };
    const answer = await fetch(`/sla/alerts/${deed}`, { method: "POST", headers, body: JSON.stringify({ alerts, ...more }) }).catch(() => null);
    if (!answer?.ok) return tell(await problem(answer));
    const { items } = await answer.json();
    const done = items.filter((item) => item.done).length;
    const outcome = document.querySelector(".outcome");
    const said = done === items.length ? outcome.dataset.all : outcome.dataset.some;
    outcome.textContent = said.replace("{done}", done).replace("{refused}", items.length - done);
    outcome.hidden = false;
    chosen.clear();
    await refresh();
  }

  async function problem(answer) {
    const { failed, offline } = document.getElementById("notice").dataset;
    if (!answer) return offline;
    const isProblem = answer.headers.get("content-type")?.startsWith("application/problem+json");
    return (isProblem && problemText(await answer.json())) || failed;
  }

  function tell(text) {
    const notice = document.getElementById("notice");
    notice.querySelector("p").textContent = text;
    notice.hidden = false;
  }

  function act(deed) {
    if (deed === "none") { chosen.clear(); show(); }
    else if (!chosen.size) return;
    else if (deed === "acknowledge") send(deed, {});
    else document.getElementById(deed).showModal();
  }

  function closed(dialog) {
    const form = dialog.querySelector("form");
    if (dialog.returnValue !== "do") return form.reset();
    const given = new FormData(form);
    if (dialog.id === "snooze") {
      const until = new Date(Date.now() + ahead + given.get("minutes") * 60_000 - 1000);
      send("snooze", { until: until.toISOString(), reason: given.get("reason") });
    } else send("assign", { to: given.get("to").trim() });
    form.reset();
  }

  const KEYS = { a: "acknowledge", s: "snooze", g: "assign", Escape: "none" };

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=checkbox]), select, textarea, dialog")) return;
    const all = rows();
    const at = all.indexOf(document.activeElement?.closest?.("tr[data-id]"));
    if (event.key === "j") all[Math.min(at + 1, all.length - 1)]?.focus();
    else if (event.key === "k") all[Math.max(at - 1, 0)]?.focus();
    else if (event.key === "x" && at >= 0) choose(all[at], !chosen.has(all[at].dataset.id));
    else if (bar && KEYS[event.key]) act(KEYS[event.key]);
    else return;
    event.preventDefault();
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelector(".alerts").addEventListener("change", ({ target }) => {
      const { checked } = target; // of the box for all: it changes with each row
      for (const row of target.matches("thead [data-all]") ? rows() : [target.closest("tr")]) choose(row, checked);
    });
    document.addEventListener("keydown", key);
    for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", () => act(button.dataset.do));
    for (const dialog of document.querySelectorAll("dialog")) dialog.addEventListener("close", () => closed(dialog));
    setInterval(() => {
      if (!document.hidden && !document.querySelector("dialog[open]")) refresh();
    }, EVERY);
    show();
  });
})();
