"use strict";
// What every page does: prefill the sign-in form from a link, tell what htmx could not do, count down.
(() => {
  const root = document.documentElement;

  /** A token behind `#` reaches no server and no log; it leaves the address bar as soon as it is read. */
  function prefill() {
    const field = document.querySelector("[data-prefill]");
    const token = new URLSearchParams(location.hash.slice(1)).get("token");
    if (!field || !token) return;
    field.value = token;
    history.replaceState(null, "", location.pathname + location.search);
    field.form.querySelector("button").focus();
  }

  function tell(text) {
    const notice = document.getElementById("notice");
    notice.querySelector("p").textContent = text;
    notice.hidden = false;
  }

  const lastOf = (pointer) => pointer.slice(pointer.lastIndexOf("/") + 1);

  /** What a problem says: what is wrong with which part, after what is wrong altogether where that says more. */
  function textOf(problem) {
    const { type, detail = "", errors = [] } = problem ?? {};
    if (!errors.length) return detail;
    if (!["/problems/invalid-input", "/problems/unacceptable-json"].includes(type)) return [detail, ...errors.map((each) => each.detail)].join(" ");
    return errors.map((each) => [lastOf(each.pointer ?? ""), each.detail].filter(Boolean).join(": ")).join(" · ");
  }
  globalThis.problemText = textOf; // for the scripts of single pages

  function unmark(form) {
    for (const old of form?.querySelectorAll("[data-fault]") ?? []) old.remove();
    for (const old of form?.querySelectorAll(".wrong") ?? []) {
      old.classList.remove("wrong");
      const control = old.querySelector("[aria-invalid]");
      control?.removeAttribute("aria-invalid");
      control?.removeAttribute("aria-describedby");
      if (control?.dataset.described) control.setAttribute("aria-describedby", control.dataset.described);
    }
  }

  /** Whether the form has a field for this error, which then has the error's text beside it. */
  function mark(form, { pointer, detail }) {
    const control = form?.elements?.[lastOf(pointer ?? "")];
    const field = control?.closest?.(".field");
    if (!field || control.type === "hidden") return false;
    const id = `${control.id || control.name}-fault`;
    field.append(Object.assign(document.createElement("p"), { id, className: "error", textContent: detail }));
    field.lastElementChild.dataset.fault = "";
    field.classList.add("wrong");
    control.dataset.described ??= control.getAttribute("aria-describedby") ?? "";
    control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-describedby", `${control.dataset.described} ${id}`.trim());
    return true;
  }

  function explain({ detail: { xhr, elt } }) {
    const notice = document.getElementById("notice");
    const isProblem = xhr.getResponseHeader("content-type")?.startsWith("application/problem+json");
    const problem = isProblem ? JSON.parse(xhr.responseText) : null;
    const form = elt.closest("form");
    unmark(form);
    const left = (problem?.errors ?? []).filter((each) => !mark(form, each));
    notice.hidden = true;
    if (left.length || !problem?.errors?.length) tell(textOf({ ...problem, errors: left }) || notice.dataset.failed);
    form?.querySelector(".wrong [aria-invalid]")?.focus();
  }

  // The promise counts by the server's clock: the one on the desk may be wrong.
  // A page that was kept for when there is no network is older than it says: what the last fresh one said holds.
  const ahead = "kept" in root.dataset ? Number(localStorage.getItem("aftercare-ahead")) : aheadOf(root.dataset.now);

  function aheadOf(now) {
    const found = now ? Date.parse(now) - Date.now() : 0;
    if (document.getElementById("phone")) localStorage.setItem("aftercare-ahead", found);
    return found;
  }

  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

  /** The two largest units, cut, as the server writes them. */
  function written(seconds) {
    const largest = Math.max(0, UNITS.findIndex(([, size]) => seconds >= size));
    const first = seconds < 1 ? UNITS.length - 1 : largest;
    const parts = [];
    for (const [unit, size] of UNITS.slice(first, first + 2)) {
      const count = Math.floor(seconds / size);
      seconds -= count * size;
      if (count || !parts.length) {
        parts.push(new Intl.NumberFormat(root.lang, { style: "unit", unit, unitDisplay: "short" }).format(count));
      }
    }
    return parts.join(" ");
  }

  const writtenIn = (zone, instant, more) => new Intl.DateTimeFormat(root.lang, { timeZone: zone, weekday: "short", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...more }).format(instant);

  /** Times are written as the house has them: a reader by another clock reads their own, and which it is. */
  function translate() {
    for (const time of document.querySelectorAll("time[data-here]")) {
      const instant = new Date(time.dateTime);
      time.removeAttribute("data-here");
      if (writtenIn(root.dataset.zone, instant) === writtenIn(undefined, instant)) continue;
      time.title ||= time.textContent;
      time.textContent = writtenIn(undefined, instant, { timeZoneName: "short" });
    }
  }

  function countDown() {
    if (document.hidden) return;
    translate();
    for (const due of document.querySelectorAll("time[data-left]")) {
      const left = (Date.parse(due.dateTime) - Date.now() - ahead) / 1000;
      const text = (left < 0 ? due.dataset.late : due.dataset.left).replace("{}", written(Math.abs(left)));
      if (due.textContent !== text) due.textContent = text;
      due.classList.toggle("late", left < 0);
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    prefill();
    countDown();
    setInterval(countDown, 1000);
    document.querySelector("#notice button")?.addEventListener("click", (event) => {
      event.target.closest("#notice").hidden = true;
    });
  });
  document.addEventListener("htmx:responseError", explain);
  document.addEventListener("htmx:sendError", () => tell(document.getElementById("notice").dataset.offline));
})();
