"use strict";
// The board as it is worked with: filters that this browser remembers, and many alerts taken over at once.
(() => {
  const KEPT = "sla.filters";
  const query = new URLSearchParams(location.search).toString();
  const remembered = localStorage.getItem(KEPT);
  if (query) localStorage.setItem(KEPT, query);
  else if (remembered) location.replace(`${location.pathname}?${remembered}`);

  const picks = () => [...document.querySelectorAll(".miss .pick")];
  const idOf = (pick) => pick.dataset.alert;
  const chosen = new Set();
  let last = null; // the alert that was chosen last, where a range begins

  /** Rows are replaced as they change: what was chosen stays so, what cannot be any more does not. */
  function show() {
    const present = new Set(picks().map(idOf));
    for (const id of chosen) if (!present.has(id)) chosen.delete(id);
    for (const pick of picks()) pick.checked = chosen.has(idOf(pick));
    const bar = document.querySelector(".bulk");
    if (!bar) return;
    bar.hidden = !chosen.size;
    const text = bar.querySelector("[data-chosen]");
    text.textContent = text.dataset.chosen.replace("{}", chosen.size);
  }

  function choose(pick, value, range) {
    const all = picks();
    const from = range && last ? all.findIndex((each) => idOf(each) === last) : -1;
    const at = all.indexOf(pick);
    const meant = from < 0 ? [pick] : all.slice(Math.min(from, at), Math.max(from, at) + 1);
    for (const each of meant) value ? chosen.add(idOf(each)) : chosen.delete(idOf(each));
    last = idOf(pick);
    show();
  }

  function clear() {
    chosen.clear();
    show();
  }

  async function take() {
    const alerts = picks().filter((pick) => chosen.has(idOf(pick))).map(({ dataset }) => ({ id: dataset.alert, version: Number(dataset.version) }));
    if (!alerts.length) return;
    const headers = { "content-type": "application/json", ...JSON.parse(document.body.getAttribute("hx-headers")) };
    const answer = await fetch("/sla/alerts/acknowledge", { method: "POST", headers, body: JSON.stringify({ alerts }) }).catch(() => null);
    if (!answer?.ok) return tell(await problem(answer));
    const { items } = await answer.json();
    const done = items.filter((item) => item.done).length;
    const outcome = document.querySelector(".outcome");
    outcome.textContent = outcome.dataset.said.replace("{done}", done).replace("{refused}", items.length - done);
    outcome.hidden = false;
    clear();
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

  /** To the next or previous miss that can be chosen. */
  function step(by) {
    const all = picks();
    const here = all.findIndex((pick) => pick.closest(".miss").contains(document.activeElement));
    all[here < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(here + by, 0), all.length - 1)]?.focus();
  }

  const KEYS = {
    j: () => step(1),
    k: () => step(-1),
    a: take,
    escape: clear,
    x: (event) => {
      const pick = document.activeElement?.closest(".miss")?.querySelector(".pick");
      if (pick) choose(pick, !chosen.has(idOf(pick)), event.shiftKey);
    },
    enter: () => document.activeElement?.matches(".pick") && document.activeElement.closest(".miss").querySelector(".title a").click(),
  };

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("form, input:not(.pick), select, textarea") || !document.querySelector(".bulk")) return;
    KEYS[event.key.toLowerCase()]?.(event);
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelector("[data-forget]")?.addEventListener("click", () => localStorage.removeItem(KEPT));
    const bar = document.querySelector(".bulk");
    if (!bar) return;
    bar.querySelector("[data-take]").addEventListener("click", take);
    bar.querySelector("[data-clear]").addEventListener("click", clear);
    const list = document.querySelector("[data-alarm]");
    list.addEventListener("click", (event) => event.target.matches(".pick") && choose(event.target, event.target.checked, event.shiftKey));
    document.addEventListener("keydown", pressed);
    new MutationObserver(show).observe(list, { childList: true });
  });
})();
